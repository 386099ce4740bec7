// Loaded in <head> and not deferred, so that the stored theme is there before the first paint.
(() => {
  const stored = localStorage.getItem("theme");
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
})();
