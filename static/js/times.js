// Keeps relative times (data-ago) and running durations (data-since) fresh; the words are those of templatetags/ui.py.
(() => {
  const UNITS = [[3600, 60, "min"], [86400, 3600, "h"], [30 * 86400, 86400, "d"]];
  const two = (number) => String(number).padStart(2, "0");

  function ago(seconds) {
    if (Math.abs(seconds) < 45) return "just now";
    const unit = UNITS.find(([limit]) => Math.abs(seconds) < limit);
    if (!unit) return null;
    const count = `${Math.max(1, Math.floor(Math.abs(seconds) / unit[1]))} ${unit[2]}`;
    return seconds > 0 ? `${count} ago` : `in ${count}`;
  }

  function lasted(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} min`;
    return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds / 3600) % 24} h`;
  }

  function refresh(selector, words) {
    for (const element of document.querySelectorAll(selector)) {
      const text = words(Math.floor((Date.now() - Date.parse(element.dateTime)) / 1000));
      if (text && text !== element.textContent) element.textContent = text;
    }
  }

  setInterval(() => refresh("time[data-ago]", ago), 15000);
  setInterval(() => refresh("time[data-since]", (seconds) => lasted(Math.max(0, seconds))), 1000);
})();
