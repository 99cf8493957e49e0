/** Of the product; functions/build.ts writes it into the bundles. */
export const PRODUCT_VERSION: string = process.env.CINDERBLOCK_VERSION ?? 'unbundled';
