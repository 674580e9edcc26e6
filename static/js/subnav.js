// On phones the list of pages is one line that scrolls: the page that is open is in sight.

document.querySelector(".subnav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
