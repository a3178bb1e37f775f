// Small things that all parts use: elements, and numbers in words. Text gets onto the page by `append` and `textContent`
// only, never as markup: models wrote it.

const SVG = "http://www.w3.org/2000/svg";

function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Sets an attribute if it changes: the browser does not look whether it does, and draws again.
function put(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

const signed = (number, digits = 2) => (number < 0 ? "−" : "") + Math.abs(number).toFixed(digits);
const plural = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
