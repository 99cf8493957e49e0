import type { ComponentChildren } from 'preact';
import { useId, useRef, useState } from 'preact/hooks';
import { placeBelow } from './anchored.ts';

export interface PopoverProps {
  /** What the button shows. */
  button: ComponentChildren;
  /** Accessible name where the button's own text is not enough. */
  label?: string;
  buttonClass?: string;
  class?: string;
  /** Name of the panel, for screen readers. */
  title: string;
  children: (close: () => void) => ComponentChildren;
}

/** A button with a panel: native popover, so Esc and a click elsewhere close it and focus returns to the button. */
export function Popover({
  button,
  label,
  buttonClass = 'button',
  class: className = '',
  title,
  children,
}: PopoverProps) {
  const id = useId();
  const anchor = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const onToggle = (event: Event) => {
    const isOpen = (event as ToggleEvent).newState === 'open';
    setOpen(isOpen);
    if (!isOpen || !panel.current || !anchor.current) return;
    placeBelow(panel.current, anchor.current.getBoundingClientRect());
    requestAnimationFrame(() => {
      if (!panel.current || !anchor.current) return;
      placeBelow(panel.current, anchor.current.getBoundingClientRect());
      panel.current.querySelector<HTMLElement>('[data-autofocus]')?.focus();
    });
  };
  return (
    <>
      <button
        ref={anchor}
        type="button"
        class={buttonClass}
        aria-label={label}
        aria-expanded={open}
        aria-haspopup="dialog"
        onClick={() => panel.current?.togglePopover()}
      >
        {button}
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        role="dialog"
        aria-label={title}
        class={`popover ${className}`}
        onToggle={onToggle}
      >
        {open && children(() => panel.current?.hidePopover())}
      </div>
    </>
  );
}
