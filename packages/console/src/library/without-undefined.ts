type Defined<Value> = Value extends object ? { [Name in keyof Value]: Defined<Exclude<Value[Name], undefined>> } : Value;

/** Options that are there and undefined are mistakes to the library. None of them are in JSON. */
export function withoutUndefined<Options extends object>(options: Options): Defined<Options> {
  return JSON.parse(JSON.stringify(options)) as Defined<Options>;
}
