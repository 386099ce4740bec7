// Keyboard shortcuts: "/" search, "?" help, "g" and then the data-key of a link in the sidebar.
(() => {
  const WAIT = 1200; // ms between "g" and the letter
  let goUntil = 0;

  const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

  function press(event) {
    if (event.key === "Escape") {
      document.querySelectorAll("details.menu[open]").forEach((menu) => {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return false;
    if (document.querySelector("dialog[open]")) return false;
    if (Date.now() < goUntil) {
      goUntil = 0;
      return click(`[data-key="${CSS.escape(event.key)}"]`);
    }
    if (event.key === "g") goUntil = Date.now() + WAIT;
    if (event.key === "?") return show();
    if (event.key === "/") return focus("[data-search]");
    return false;
  }

  const click = (selector) => (document.querySelector(selector)?.click(), true);
  const focus = (selector) => (document.querySelector(selector)?.focus(), true);
  const show = () => (document.getElementById("shortcuts")?.showModal(), true);

  document.addEventListener("keydown", (event) => press(event) && event.preventDefault());
  document.querySelector("[data-shortcuts]")?.addEventListener("click", show);
})();
