/** Puts a popover below its button, or above where there is more room, and keeps it inside the window. */
export function placeBelow(popover: HTMLElement, anchor: DOMRect): void {
  const margin = 6;
  const { offsetWidth: width, offsetHeight: height } = popover;
  const left = Math.max(margin, Math.min(anchor.left, innerWidth - width - margin));
  const fitsBelow = anchor.bottom + height + margin <= innerHeight;
  const top = fitsBelow || anchor.top < innerHeight / 2 ? anchor.bottom + 4 : anchor.top - height - 4;
  popover.style.left = `${left}px`;
  popover.style.top = `${Math.max(margin, Math.min(top, innerHeight - height - margin))}px`;
}

/** Beside a point, for tooltips and context menus. */
export function placeAt(element: HTMLElement, x: number, y: number): void {
  const margin = 6;
  const { offsetWidth: width, offsetHeight: height } = element;
  const left = x + width + margin > innerWidth ? x - width - 12 : x;
  const top = y + height + margin > innerHeight ? y - height - 12 : y;
  element.style.left = `${Math.max(margin, left)}px`;
  element.style.top = `${Math.max(margin, top)}px`;
}
