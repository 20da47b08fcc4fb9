// What tables are made of: lines that stay while what they show changes, and numbers that can be read.

/** Makes `parent` have one child for each of `items`, in their order; those that are there already stay as they are. */
export function fill(parent, items, key, make) {
  const known = new Map([...parent.children].map(child => [child.key, child]));
  const children = items.map((item, index) => {
    const name = key(item, index);
    const child = known.get(name) ?? make(item);
    child.key = name;
    known.delete(name);
    return child;
  });
  for (const gone of known.values()) gone.remove();
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  return children;
}

/** Sets a text if it is another one: what has not changed keeps the user's selection. */
export function put(place, text, title) {
  const shown = text === null || text === undefined ? "" : String(text);
  if (place.textContent !== shown) place.textContent = shown;
  if (place.classList.contains("chip")) place.hidden = shown === "";
  if (title !== undefined && place.title !== (title ?? "")) place.title = title ?? "";
}

export function span(className = "") {
  const made = document.createElement("span");
  made.className = className;
  return made;
}

export function textOf(text, className) {
  const made = span(className);
  made.textContent = text;
  return made;
}

export function cell(className, ...children) {
  const made = document.createElement("td");
  made.className = className;
  made.append(...children);
  return made;
}

export function count(number) {
  return number.toLocaleString();
}

export function bytes(number) {
  if (number < 1024) return `${number} B`;
  const [size, unit] = number < 1024 ** 2 ? [number / 1024, "KiB"] : number < 1024 ** 3 ? [number / 1024 ** 2, "MiB"] : [number / 1024 ** 3, "GiB"];
  return `${size < 10 ? size.toFixed(1) : Math.round(size).toLocaleString()} ${unit}`;
}

export function time(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} m`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3600) % 24} h`;
}
