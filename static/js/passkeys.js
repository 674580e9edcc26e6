// Says in words that a passkey could not be used; allauth itself only writes to the console.

document.addEventListener("allauth.error", (event) => {
  const place = document.getElementById("passkey-problem");
  if (!place) return;
  event.preventDefault();
  place.hidden = false;
});
