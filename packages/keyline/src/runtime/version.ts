/** As package.json has it, which a test compares: where that file is depends on how the package was built. */
export const version = "0.1.0";
