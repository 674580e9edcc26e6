// Tabs of one page (WAI-ARIA pattern, automatic activation). The open one is kept in the address
// (#prompt), and a tab whose panel holds a refused field is opened first.

export function startTabs() {
  for (const list of document.querySelectorAll("[data-tabs]")) setUp(list);
}

function setUp(list) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

  function show(tab, remember) {
    for (const other of tabs) {
      const on = other === tab;
      other.setAttribute("aria-selected", String(on));
      other.tabIndex = on ? 0 : -1;
      panelOf(other).hidden = !on;
    }
    if (remember) history.replaceState(null, "", tab.getAttribute("href"));
    tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  list.hidden = false;
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (!tab) return;
    event.preventDefault();
    show(tab, true);
  });
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const tab = tabs.at(to % tabs.length);
    tab.focus();
    show(tab, true);
  });

  window.addEventListener("hashchange", () => {
    const named = tabs.find((tab) => tab.getAttribute("href") === location.hash);
    if (named) show(named, false);
  });

  const refused = tabs.find((tab) => tab.querySelector(".tab-problem"));
  const named = tabs.find((tab) => tab.getAttribute("href") === location.hash);
  show(refused ?? named ?? tabs[0], false);
}
