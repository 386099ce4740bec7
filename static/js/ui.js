// Toasts, theme toggle, copy buttons, menus, and what htmx answers mean for the page.
(() => {
  const toasts = document.getElementById("toasts");
  const READ_TIME = 6000;

  function arm(toast) {
    const close = () => toast.remove();
    toast.querySelector("[data-close]").addEventListener("click", close);
    if (["danger", "error"].includes(toast.dataset.level)) return; // errors stay until they are read
    let timer = setTimeout(close, READ_TIME);
    toast.addEventListener("pointerenter", () => clearTimeout(timer));
    toast.addEventListener("pointerleave", () => (timer = setTimeout(close, READ_TIME)));
  }

  function toast(message, level = "info") {
    const template = document.getElementById(`toast-${level}`) ?? document.getElementById("toast-info");
    const element = template.content.firstElementChild.cloneNode(true);
    element.querySelector("[data-message]").textContent = message;
    if (document.querySelector("dialog[open]")) raise();
    toasts.append(element);
    arm(element);
  }

  // A popover, because only the top layer stands above an open dialog; always shown, so that screen readers know it
  function raise() {
    toasts.hidePopover();
    toasts.showPopover();
  }

  toasts.showPopover();
  toasts.querySelectorAll(".toast").forEach(arm);
  document.body.addEventListener("toast", (event) => toast(event.detail.message, event.detail.level));

  // A background refetch that fails says nothing: the connection light does, and it tries again
  const isBackground = (detail) => detail.requestConfig?.triggeringEvent?.type === "live";
  document.addEventListener("htmx:sendError", (event) => {
    if (!isBackground(event.detail)) toast("The server cannot be reached. Check your connection, then try again.", "danger");
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    if (isBackground(event.detail) || xhr.getResponseHeader("HX-Trigger")) return; // the server has said it better
    toast(`The server could not do this (${xhr.status}). Reload to see the present state, then try again; if it stays, tell an administrator.`, "danger");
  });

  // A session that ended answers with the login page: go there instead of showing it inside a part of this page
  document.addEventListener("htmx:beforeSwap", (event) => {
    const login = document.body.dataset.loginUrl;
    if (!login || location.pathname === login) return;
    if (new URL(event.detail.xhr.responseURL || location.href).pathname !== login) return;
    event.detail.shouldSwap = false;
    location.assign(`${login}?next=${encodeURIComponent(location.pathname + location.search)}`);
  });

  const root = document.documentElement;
  const order = { auto: "light", light: "dark", dark: "auto" };
  const button = document.querySelector(".theme-toggle");
  const name = () => root.dataset.theme ?? "auto";
  const label = () => button?.setAttribute("aria-label", `Theme: ${name()}. Change`);
  button?.addEventListener("click", () => {
    const next = order[name()];
    if (next === "auto") {
      delete root.dataset.theme;
      localStorage.removeItem("theme");
    } else {
      localStorage.setItem("theme", (root.dataset.theme = next));
    }
    label();
  });
  label();

  document.addEventListener("click", async (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const copy = event.target.closest("[data-copy]");
    if (!copy) return;
    try {
      await navigator.clipboard.writeText(copy.dataset.copy);
    } catch {
      return toast("The browser does not let this page copy (it does over HTTPS). Select the text and copy it by hand.", "warning");
    }
    copy.classList.add("is-copied");
    setTimeout(() => copy.classList.remove("is-copied"), 1500);
  });
})();
