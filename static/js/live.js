// One socket to /ws/live says what changed; elements with data-live="<topic> …" refetch themselves on the event "live".
// Client: {"subscribe": [topics]} with the whole list, again whenever it changes. Server: {"topic": t} or {"resync": true}.
(() => {
  const EVERY = 200; // ms: an element refetches at most five times a second, and always once after the last message
  const POLL = 5000;
  const light = document.getElementById("connection");
  const busy = new WeakSet();
  const changed = new Set();
  let socket = null;
  let subscribed = "";
  let attempt = 0;
  let timer = null;
  let last = 0;

  const watchers = () => [...document.querySelectorAll("[data-live]")];
  const topicsOf = (element) => element.dataset.live.split(/\s+/).filter(Boolean);
  const topics = () => [...new Set(watchers().flatMap(topicsOf))].sort();
  const isOpen = () => socket?.readyState === WebSocket.OPEN;

  function show(state) {
    if (!light || light.dataset.state === state) return;
    light.dataset.state = state;
    light.textContent = light.getAttribute(`data-text-${state}`);
  }

  function mark(names) {
    names.forEach((name) => changed.add(name));
    timer ??= setTimeout(flush, Math.max(0, last + EVERY - Date.now()));
  }

  const isHeld = (element) => element.querySelector("[data-held]") !== null; // a question is open, or a POST under way
  const isDeaf = (element) => element.closest(".htmx-added") !== null; // until htmx has settled it listens to nothing

  // An element that is still fetching keeps its topics for the next round: its answer may be older than the message.
  function flush() {
    timer = null;
    last = Date.now();
    const now = new Set(changed);
    changed.clear();
    const late = [];
    for (const element of watchers()) {
      const names = topicsOf(element).filter((name) => now.has(name));
      if (!names.length) continue;
      if (busy.has(element) || isHeld(element) || isDeaf(element)) late.push(...names);
      else htmx.trigger(element, "live");
    }
    if (late.length) mark(late);
  }

  function subscribe() {
    const wanted = topics();
    if (!wanted.length) return;
    if (!socket) return connect();
    if (!isOpen() || JSON.stringify(wanted) === subscribed) return;
    subscribed = JSON.stringify(wanted);
    socket.send(JSON.stringify({ subscribe: wanted }));
  }

  function connect() {
    show(attempt ? "reconnecting" : "connecting");
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live`);
    socket.onopen = () => {
      attempt = 0;
      subscribed = "";
      show("live");
      subscribe();
      last = Date.now(); // the resync that answers "subscribe" joins this catch-up
      mark(topics());
    };
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (message.resync) mark(topics());
      else if (message.topic) mark([message.topic]);
    };
    socket.onclose = () => {
      show("reconnecting");
      const wait = Math.min(30000, 500 * 2 ** attempt++);
      setTimeout(connect, wait * (0.5 + Math.random()));
    };
  }

  document.addEventListener("htmx:beforeRequest", ({ detail: { elt, requestConfig } }) => {
    if (requestConfig.verb === "get") busy.add(elt);
    else elt.dataset.held = "";
  });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    busy.delete(detail.requestConfig.elt);
    delete detail.requestConfig.elt.dataset.held;
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt, verb } = detail.requestConfig;
    if (verb !== "get" || !elt.dataset.live || !isHeld(elt)) return;
    detail.shouldSwap = false;
    mark(topicsOf(elt));
  });
  document.addEventListener("htmx:afterSettle", subscribe);
  document.addEventListener("visibilitychange", () => document.hidden || isOpen() || mark(topics()));
  setInterval(() => socket && !isOpen() && !document.hidden && mark(topics()), POLL);
  subscribe();
})();
