import {
  type FlameViewport,
  flameHeight,
  hitTest,
  levelTop,
  planFlame,
} from '../../../core/flamegraph/plan.ts';
import { isSamePart, type Part, WHOLE } from '../state/part.ts';
import { type FlamePaint, LABEL_FONT, paintFlame } from './paint-flame.ts';

export const ROW_HEIGHT = 18;
const ZOOM_MS = 160;
const CALLERS_SHOWN = 3;

export type FlameChartState = Omit<FlamePaint, 'hoveredRow'> & {
  flipped: boolean;
  hideRoot: boolean;
  /** What of the width is shown. */
  part: Part;
  /** The part follows a hand: it is drawn at once. Else a change of it is animated. */
  isSteered: boolean;
};

/**
 * Draws a flame graph into a canvas that is as large as what is visible, inside a scroller as high as the graph: a
 * canvas of the graph's own height would go blank beyond 65,535 pixels. Knows nothing of the page around it.
 */
export class FlameChart {
  readonly #scroller: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #spacer: HTMLElement;
  readonly #observer: ResizeObserver;
  #state: FlameChartState | undefined;
  #hoveredRow = -1;
  #x0 = 0;
  #x1 = 1;
  #target: Part = WHOLE;
  #frame = 0;
  #animation: { from: [number, number]; to: [number, number]; began: number } | undefined;
  #charWidth = 7.2;
  /** Called after each paint. */
  onPaint: (() => void) | undefined;

  constructor(scroller: HTMLElement, canvas: HTMLCanvasElement, spacer: HTMLElement) {
    this.#scroller = scroller;
    this.#canvas = canvas;
    this.#spacer = spacer;
    this.#context = canvas.getContext('2d', { alpha: false })!;
    this.#context.font = LABEL_FONT;
    this.#charWidth = this.#context.measureText('0'.repeat(50)).width / 50;
    this.#observer = new ResizeObserver(() => this.#paintNow());
    this.#observer.observe(scroller);
    scroller.addEventListener('scroll', this.#schedule, { passive: true });
  }

  dispose(): void {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#state = undefined;
    this.#scroller.removeEventListener('scroll', this.#schedule);
  }

  /** Shows a state; a change of the part is animated unless the tree changed with it. */
  show(state: FlameChartState): void {
    const before = this.#state;
    this.#state = state;
    const { layout, zoomRow, part } = state;
    this.#spacer.style.height = `${this.#contentHeight(state)}px`;
    const sameTree = before?.layout === layout;
    if (!sameTree || state.isSteered || prefersReducedMotion()) {
      this.#animation = undefined;
      this.#x0 = part.x0;
      this.#x1 = part.x1;
    } else if (!isSamePart(part, this.#target)) {
      const from: [number, number] = [this.#x0, this.#x1];
      this.#animation = { from, to: [part.x0, part.x1], began: performance.now() };
    }
    this.#target = part;
    const isNewView = before === undefined || before.flipped !== state.flipped;
    if (isNewView || (sameTree && before.zoomRow !== zoomRow)) this.#bringToStart(zoomRow);
    this.#schedule();
  }

  hover(row: number): void {
    if (row === this.#hoveredRow) return;
    this.#hoveredRow = row;
    this.#schedule();
  }

  /** Scrolls the zoomed row to where its subtree has the room, below a few of its callers. */
  #bringToStart(row: number): void {
    const state = this.#state;
    if (!state) return;
    const top = levelTop(state.layout, this.#viewport(state), state.layout.tree.level[row]);
    const callers = CALLERS_SHOWN * ROW_HEIGHT;
    const wanted = state.flipped ? this.#scroller.clientHeight - callers - ROW_HEIGHT : callers;
    this.#scroller.scrollTop += top - wanted;
  }

  /** Scrolls just enough to bring a row's level into view, with some levels of context. */
  reveal(row: number, context = 1): void {
    const state = this.#state;
    if (!state || row < 0) return;
    const top = levelTop(state.layout, this.#viewport(state), state.layout.tree.level[row]);
    const room = context * ROW_HEIGHT;
    const height = this.#scroller.clientHeight;
    if (top - room < 0) this.#scroller.scrollTop += top - room;
    else if (top + ROW_HEIGHT + room > height) this.#scroller.scrollTop += top + ROW_HEIGHT + room - height;
  }

  /** The row under a point given in the page's client coordinates, or -1. */
  rowAt(clientX: number, clientY: number): number {
    const state = this.#state;
    if (!state) return -1;
    const box = this.#canvas.getBoundingClientRect();
    const row = hitTest(state.layout, this.#viewport(state), clientX - box.left, clientY - box.top);
    return state.hideRoot && row === 0 ? -1 : row;
  }

  /** Where in the whole width a point is, as a fraction. */
  fractionAt(clientX: number): number {
    const { left, width } = this.#canvas.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (clientX - left) / width));
    return this.#x0 + share * (this.#x1 - this.#x0);
  }

  /** Where a row is in client coordinates, as far as it is on screen. */
  boxOf(row: number): { left: number; top: number; width: number } | undefined {
    const state = this.#state;
    if (!state || row < 0) return undefined;
    const box = this.#canvas.getBoundingClientRect();
    const { layout } = state;
    const view = this.#viewport(state);
    const scale = view.width / (layout.width[0] * (this.#x1 - this.#x0));
    const left = (layout.start[row] - layout.width[0] * this.#x0) * scale;
    const right = Math.min(view.width, left + layout.width[row] * scale);
    const top = levelTop(layout, view, layout.tree.level[row]);
    return { left: box.left + Math.max(0, left), top: box.top + top, width: right - Math.max(0, left) };
  }

  #contentHeight(state: FlameChartState): number {
    return flameHeight(state.layout, ROW_HEIGHT) - (state.hideRoot ? ROW_HEIGHT : 0);
  }

  #viewport(state: FlameChartState): FlameViewport {
    const width = this.#scroller.clientWidth;
    const height = this.#scroller.clientHeight;
    let scrollTop = this.#scroller.scrollTop;
    // An upright graph without its root starts one row lower; a flame that is lower than the view stands on its floor.
    if (!state.flipped && state.hideRoot) scrollTop += ROW_HEIGHT;
    if (state.flipped) scrollTop -= Math.max(0, height - this.#contentHeight(state));
    return {
      x0: this.#x0,
      x1: this.#x1,
      width,
      height,
      scrollTop,
      rowHeight: ROW_HEIGHT,
      flipped: state.flipped,
    };
  }

  #schedule = (): void => {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paintNow());
  };

  #paintNow(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const state = this.#state;
    if (!state) return;
    this.#advance();
    this.#fitCanvas();
    const view = this.#viewport(state);
    const plan = planFlame(state.layout, view);
    paintFlame(this.#context, { ...state, hoveredRow: this.#hoveredRow }, plan, view, this.#charWidth);
    if (this.#animation) this.#schedule();
    this.onPaint?.();
  }

  #advance(): void {
    const animation = this.#animation;
    if (!animation) return;
    const progress = Math.min(1, (performance.now() - animation.began) / ZOOM_MS);
    const eased = 1 - (1 - progress) ** 3;
    this.#x0 = animation.from[0] + (animation.to[0] - animation.from[0]) * eased;
    this.#x1 = animation.from[1] + (animation.to[1] - animation.from[1]) * eased;
    if (progress === 1) this.#animation = undefined;
  }

  #fitCanvas(): void {
    const ratio = devicePixelRatio;
    const width = Math.round(this.#scroller.clientWidth * ratio);
    const height = Math.round(this.#scroller.clientHeight * ratio);
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
      this.#canvas.style.width = `${width / ratio}px`;
      this.#canvas.style.height = `${height / ratio}px`;
    }
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }
}

function prefersReducedMotion(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
