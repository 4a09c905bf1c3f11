function load(): () => void {
  throw new Error("it cannot be loaded");
}

export const handler = load();
