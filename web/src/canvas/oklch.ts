/** A colour as lightness 0…1, chroma 0…0.4 and hue in degrees (Björn Ottosson, 2020: bottosson.github.io/posts/oklab). */
export interface Oklch {
  lightness: number;
  chroma: number;
  hue: number;
}

export type Rgb = [number, number, number];

/** sRGB in 0…255; chroma gives way where the colour is outside of sRGB. */
export function toRgb(color: Oklch): Rgb {
  for (let chroma = color.chroma; chroma > 0; chroma -= 0.005) {
    const linear = toLinear({ ...color, chroma });
    if (linear.every((channel) => channel >= -1e-4 && channel <= 1.0001)) return gamma(linear);
  }
  return gamma(toLinear({ ...color, chroma: 0 }));
}

function toLinear({ lightness, chroma, hue }: Oklch): Rgb {
  const angle = (hue * Math.PI) / 180;
  const a = chroma * Math.cos(angle);
  const b = chroma * Math.sin(angle);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

function gamma(linear: Rgb): Rgb {
  return linear.map((channel) => {
    const value = Math.min(1, Math.max(0, channel));
    return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
  }) as Rgb;
}

export function toHex(rgb: Rgb): string {
  return `#${rgb.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}

export function fromHex(hex: string): Rgb {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as Rgb;
}

/** WCAG 2 contrast ratio, 1…21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((channel) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
