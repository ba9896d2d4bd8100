// The page of a link, a QR code, or an e-mail signature: /c/<point>. What stands behind ? comes along.
const point = location.pathname.split("/").filter(Boolean).pop();
const tag = document.createElement("script");
tag.src = "/widget.js";
tag.dataset.point = point;
tag.dataset.open = "";
const wanted = new URLSearchParams(location.search);
if (wanted.get("language")) tag.dataset.language = wanted.get("language");
tag.addEventListener("load", () => {
  const fields = Object.fromEntries([...wanted].filter(([name]) => name !== "language"));
  window.Crosspoint?.setContext(fields);
});
document.body.append(tag);
