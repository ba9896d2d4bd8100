// What a shop's own script would do: fill the cart, tell the widget, and load it with its key.
const $ = (id) => document.getElementById(id);
const cart = [];

$("add").addEventListener("click", () => {
  const colour = document.querySelector("input[name=colour]:checked").value;
  cart.push(`${$("product").textContent} (${colour})`);
  $("cart").textContent = cart.join(", ");
});

for (const button of document.querySelectorAll("[data-product]")) {
  button.addEventListener("click", () => {
    $("product").textContent = button.dataset.product;
    $("price").textContent = button.dataset.price;
    document.title = `${button.dataset.product} – Lumen & Oak`;
    scrollTo({ top: 0 });
  });
}

// A real shop writes the script tag into its page; the demo asks which point it was given.
const wanted = new URLSearchParams(location.search);
const point = wanted.get("point") ?? (await (await fetch("/shop/point")).json()).point;
if (point) {
  const tag = document.createElement("script");
  tag.src = "/widget.js";
  tag.dataset.point = point;
  for (const name of ["language", "theme"]) if (wanted.get(name)) tag.dataset[name] = wanted.get(name);
  document.body.append(tag);
}
