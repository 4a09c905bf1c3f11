/** What the page suggests, and what bursts order. */
export const products = [
  "Reading lamp, black",
  "Oak shelf, 80 cm",
  "Linen cushion, sand",
  "Desk organiser, walnut",
  "Wall clock, 30 cm",
  "Wool throw, grey",
  "Ceramic mug, set of 4",
  "Notebook, dotted, A5",
  "Water carafe, 1 l",
  "Bath towel, white",
  "Exposure mat, coir",
  "Herb planter, terracotta",
] as const;
