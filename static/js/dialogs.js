// The shared <dialog>s: #modal shows what htmx swaps into it, #confirm asks before hx-confirm and form[data-confirm].
(() => {
  const modal = document.getElementById("modal");
  const dialog = document.getElementById("confirm");

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === modal && modal.childElementCount && !modal.open) modal.showModal();
  });
  document.body.addEventListener("close-modal", () => modal.close());
  modal.addEventListener("close", () => modal.replaceChildren());

  // data-confirm-title, data-confirm-action and data-confirm-tone="danger" refine the question
  function ask(element, question, proceed) {
    const { confirmTitle, confirmAction, confirmTone } = element.dataset;
    dialog.querySelector("[data-title]").textContent = confirmTitle ?? "Are you sure?";
    dialog.querySelector("[data-question]").textContent = question;
    const button = dialog.querySelector("button[value=yes]");
    button.textContent = confirmAction ?? "Continue";
    button.className = `button button--${confirmTone === "danger" ? "danger-solid" : "primary"}`;
    dialog.returnValue = "";
    element.dataset.held = ""; // see live.js
    dialog.onclose = () => {
      delete element.dataset.held;
      if (dialog.returnValue === "yes") proceed();
    };
    dialog.showModal();
  }

  document.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    ask(event.detail.elt, event.detail.question, () => event.detail.issueRequest(true));
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.confirm || form.dataset.confirmed) return;
    event.preventDefault();
    ask(form, form.dataset.confirm, () => {
      form.dataset.confirmed = "yes";
      form.requestSubmit(event.submitter);
    });
  });

  // A click on the backdrop is a click on the dialog itself
  for (const element of document.querySelectorAll("dialog")) {
    element.addEventListener("click", (event) => event.target === element && element.close());
  }
})();
