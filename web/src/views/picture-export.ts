import { flameSvg } from '../canvas/flame-svg.ts';
import { frameSentence } from '../state/frame-facts.ts';
import { view } from '../state/navigation.ts';
import { notify } from './actions.ts';
import { frameContext } from './frame-context.ts';
import { mainChart } from './frame-paint.ts';

export function downloadSvg(): void {
  const state = mainChart.peek();
  const context = frameContext.peek();
  if (!state || !context) {
    notify('There is no flame graph to save yet');
    return;
  }
  const svg = flameSvg(state, (row) => frameSentence(context, row));
  download(new Blob([svg], { type: 'image/svg+xml' }), 'svg');
}

export function downloadPng(): void {
  const canvas = document.querySelector<HTMLCanvasElement>('#flame-graph canvas');
  if (!canvas) {
    notify('The flame graph is not on screen; choose Flame or Both');
    return;
  }
  canvas.toBlob((blob) => blob && download(blob, 'png'), 'image/png');
}

function download(blob: Blob, extension: string): void {
  const service = view.peek().service || 'all';
  saveFile(blob, `cinderblock-${service.replace(/[^\w.-]+/g, '_')}.${extension}`);
}

/** Hands a file to the browser's downloads. */
export function saveFile(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
