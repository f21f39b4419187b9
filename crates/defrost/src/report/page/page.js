for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const numeric = head.classList.contains("number");
    const first = numeric ? "descending" : "ascending";
    const order = head.ariaSort === first ? (numeric ? "ascending" : "descending") : first;
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const compare = (a, b) => numeric ? a - b : a.localeCompare(b, document.documentElement.lang);
    body.append(...[...body.rows].sort((a, b) => sign * compare(value(a, column), value(b, column))));
  }));
}

// A picture large, with all its views; the arrows go to the next one.
const viewer = document.getElementById("viewer");
const cards = [...document.querySelectorAll("figure:has(.opens)")];
let shown = 0;
function show(index) {
  shown = (index + cards.length) % cards.length;
  const card = cards[shown];
  viewer.querySelector("strong").textContent = card.querySelector("figcaption").firstElementChild.textContent;
  viewer.querySelector("code").textContent = card.querySelector("code").textContent;
  viewer.querySelector(".views").replaceChildren(...[...card.querySelectorAll("img")].map(image => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const copy = image.cloneNode();
    copy.hidden = false;
    caption.textContent = image.alt;
    figure.append(copy, caption);
    return figure;
  }));
  if (!viewer.open) viewer.showModal();
}
cards.forEach((card, index) => card.querySelector(".opens").addEventListener("click", () => show(index)));
viewer.querySelector("button").addEventListener("click", () => viewer.close());
viewer.addEventListener("click", event => event.target === viewer && viewer.close());
viewer.addEventListener("close", () => cards[shown]?.querySelector(".opens").focus());
viewer.addEventListener("keydown", event => {
  if (event.key === "ArrowRight") show(shown + 1);
  if (event.key === "ArrowLeft") show(shown - 1);
});

for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    getSelection().selectAllChildren(code);
    await navigator.clipboard?.writeText(code.textContent).catch(() => {});
    button.textContent = button.dataset.done;
  });
}
