import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { placeAt, placeBelow } from './anchored.ts';

export interface MenuItem {
  label: string;
  /** Shown on the right: a key, or what is chosen now. */
  hint?: string;
  href?: string;
  onSelect?: () => void;
  checked?: boolean;
  /** Draws a line above. */
  startsGroup?: boolean;
}

interface MenuListProps {
  title: string;
  items: MenuItem[];
  close: () => void;
}

/** Menu of the ARIA practices guide: arrows, Home, End, first letters; Tab closes. */
function MenuList({ title, items, close }: MenuListProps) {
  const list = useRef<HTMLDivElement>(null);
  const entries = () => [...(list.current?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])];
  useEffect(() => entries()[0]?.focus(), []);
  const move = (to: number) => {
    const all = entries();
    all[(to + all.length) % all.length]?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const all = entries();
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === 'ArrowDown') move(at + 1);
    else if (event.key === 'ArrowUp') move(at - 1);
    else if (event.key === 'Home') move(0);
    else if (event.key === 'End') move(all.length - 1);
    else if (event.key === 'Tab') close();
    else if (event.key === ' ') (document.activeElement as HTMLElement).click();
    else if (/^\S$/.test(event.key) && !event.ctrlKey && !event.metaKey) {
      const after = [...all.slice(at + 1), ...all.slice(0, at + 1)];
      after.find((entry) => entry.textContent?.toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
    } else return;
    if (event.key !== 'Tab') event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div ref={list} role="menu" aria-label={title} class="menu" onKeyDown={onKeyDown}>
      {items.map((item) => (
        <MenuEntry key={item.label} item={item} close={close} />
      ))}
    </div>
  );
}

function MenuEntry({ item, close }: { item: MenuItem; close: () => void }) {
  const choose = () => {
    close();
    item.onSelect?.();
  };
  const content = (
    <>
      <span class="menu-check" aria-hidden="true">
        {item.checked ? '✓' : ''}
      </span>
      <span class="menu-label">{item.label}</span>
      {item.hint && <span class="menu-hint">{item.hint}</span>}
    </>
  );
  const className = item.startsGroup ? 'menu-item menu-group' : 'menu-item';
  if (item.href !== undefined) {
    return (
      <a role="menuitem" tabIndex={-1} class={className} href={item.href} download="" onClick={choose}>
        {content}
      </a>
    );
  }
  const isChoice = item.checked !== undefined;
  return (
    <button
      type="button"
      {...(isChoice ? { role: 'menuitemcheckbox', 'aria-checked': item.checked } : { role: 'menuitem' })}
      tabIndex={-1}
      class={className}
      onClick={choose}
    >
      {content}
    </button>
  );
}

export interface MenuButtonProps {
  button: ComponentChildren;
  title: string;
  items: () => MenuItem[];
  id?: string;
}

export function MenuButton({ button, title, items, id }: MenuButtonProps) {
  const anchor = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const onToggle = (event: Event) => {
    const isOpen = (event as ToggleEvent).newState === 'open';
    setOpen(isOpen);
    if (isOpen)
      requestAnimationFrame(() => placeBelow(panel.current!, anchor.current!.getBoundingClientRect()));
  };
  return (
    <>
      <button
        ref={anchor}
        id={id}
        type="button"
        class="button"
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => panel.current?.togglePopover()}
      >
        {button}
      </button>
      <div ref={panel} popover="auto" class="popover" onToggle={onToggle}>
        {open && <MenuList title={title} items={items()} close={() => panel.current?.hidePopover()} />}
      </div>
    </>
  );
}

export interface ContextMenuProps {
  title: string;
  /** Where it opens; undefined is closed. */
  at: { x: number; y: number } | undefined;
  items: MenuItem[];
  onClose: () => void;
}

export function ContextMenu({ title, at, items, onClose }: ContextMenuProps) {
  const panel = useRef<HTMLDivElement>(null);
  const cameFrom = useRef<Element | null>(null);
  useEffect(() => {
    if (!at || !panel.current) return;
    cameFrom.current = document.activeElement;
    panel.current.showPopover();
    placeAt(panel.current, at.x, at.y);
    panel.current.querySelector<HTMLElement>('[role^=menuitem]')?.focus();
  }, [at]);
  const onToggle = (event: Event) => {
    if ((event as ToggleEvent).newState === 'open') return;
    (cameFrom.current as HTMLElement | null)?.focus?.();
    onClose();
  };
  if (!at) return null;
  return (
    <div ref={panel} popover="auto" class="popover" onToggle={onToggle}>
      <MenuList title={title} items={items} close={() => panel.current?.hidePopover()} />
    </div>
  );
}
