import type { ColourOf, MarkShape } from '../../shared/chart';
import { drawGlyph, themeColours } from '../../shared/chart';
import type { Lane } from './charts';

/** One chart of the picture. */
export interface Panel {
  title: string;
  canvas: HTMLCanvasElement;
}

const EDGE = 24;
const HEAD = 64;
const ROW = 20;
const TITLE = 22;
const GAP = 12;
const FONT = 'Inter, "Segoe UI", system-ui, sans-serif';

/** One entry of the legend: a line, a mark or a strip, and what it stands for. */
export type Entry =
  | { text: string; colour: string; dash: readonly number[] }
  | { text: string; shape: MarkShape }
  | { text: string; strip: true };

export const lineEntry = ({ title, colour, dash }: Lane): Entry => ({ text: title, colour, dash });

interface Placed {
  entry: Entry;
  x: number;
  row: number;
}

const markWidth = (entry: Entry): number => ('shape' in entry ? 8 : 26);

/** Where each entry of the legend stands, in as many rows as it takes. */
function placed(ctx: CanvasRenderingContext2D, entries: readonly Entry[], right: number): Placed[] {
  let x = EDGE;
  let row = 0;
  ctx.font = `12px ${FONT}`;
  return entries.map((entry) => {
    const wide = markWidth(entry) + 8 + ctx.measureText(entry.text).width;
    if (x > EDGE && x + wide > right) {
      x = EDGE;
      row += 1;
    }
    const at = x;
    x += wide + 24;
    return { entry, x: at, row };
  });
}

function legend(ctx: CanvasRenderingContext2D, entries: readonly Placed[], colour: ColourOf) {
  ctx.font = `12px ${FONT}`;
  for (const { entry, x, row } of entries) {
    const y = 50 + row * ROW;
    const wide = markWidth(entry);
    ctx.beginPath();
    if ('shape' in entry) {
      ctx.fillStyle = colour('--muted');
      drawGlyph(ctx, entry.shape, x + 4, y, 1);
      ctx.fill();
    } else {
      ctx.strokeStyle = colour('strip' in entry ? '--warn' : entry.colour);
      ctx.lineWidth = 'strip' in entry ? 4 : 2;
      ctx.setLineDash('strip' in entry ? [] : [...entry.dash]);
      ctx.moveTo(x, y);
      ctx.lineTo(x + wide, y);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    ctx.fillStyle = colour('--text');
    ctx.fillText(entry.text, x + wide + 8, y + 4);
  }
}

/** All charts one below the other with title, range and legend: a PNG in base64. */
export function pictureOf(
  title: string,
  range: string,
  entries: readonly Entry[],
  panels: readonly Panel[],
): string | null {
  const first = panels[0];
  if (!first) return null;
  const scale = devicePixelRatio || 1;
  const width = first.canvas.width / scale + 2 * EDGE;
  const canvas = document.createElement('canvas');
  const ctx = canvas.getContext('2d');
  if (!ctx) return null;
  const known = placed(ctx, entries, width - EDGE);
  const head = HEAD + (known.at(-1)?.row ?? 0) * ROW;
  const heights = panels.map(({ canvas }) => canvas.height / scale + TITLE + GAP);
  const height = head + heights.reduce((sum, one) => sum + one, 0) + EDGE - GAP;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const colour = themeColours();
  ctx.scale(scale, scale);
  ctx.fillStyle = colour('--panel');
  ctx.fillRect(0, 0, width, height);
  ctx.fillStyle = colour('--text');
  ctx.font = `600 15px ${FONT}`;
  ctx.fillText(title, EDGE, 28);
  ctx.fillStyle = colour('--muted');
  ctx.font = `12px ${FONT}`;
  ctx.textAlign = 'right';
  ctx.fillText(range, width - EDGE, 28);
  ctx.textAlign = 'left';
  legend(ctx, known, colour);
  let y = head;
  panels.forEach((panel, index) => {
    ctx.fillStyle = colour('--text');
    ctx.font = `600 12px ${FONT}`;
    ctx.fillText(panel.title, EDGE, y + 14);
    const { canvas: from } = panel;
    ctx.drawImage(from, EDGE, y + TITLE, from.width / scale, from.height / scale);
    y += heights[index] ?? 0;
  });
  return canvas.toDataURL('image/png').replace(/^data:image\/png;base64,/, '');
}
