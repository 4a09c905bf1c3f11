/** One block of an event stream. Without data it only says where to resume. */
export interface StreamEvent {
  readonly name: string;
  readonly data: string;
  /** The last one that came. */
  readonly id: string;
  /** In how many milliseconds to come again, where that was said. */
  readonly retryMs: number | undefined;
}

/** The events of an answer, as the standard reads them. `heard` is called for everything that comes, comments too. */
export async function* readEvents(body: ReadableStream<Uint8Array>, heard: () => void): AsyncGenerator<StreamEvent, void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let id = "";
  let fields: Record<string, string> = {};
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, field = "", text = ""] = /^([^:]*):? ?(.*?)\r?$/.exec(line) ?? [];
      // Comments have no name.
      if (field.trim()) fields[field] = text;
      else if (line.trim() === "" && Object.keys(fields).length > 0) {
        id = fields["id"] ?? id;
        yield {
          name: fields["event"] ?? "",
          data: fields["data"] ?? "",
          id,
          retryMs: fields["retry"] ? Number(fields["retry"]) : undefined,
        };
        fields = {};
      }
    }
  }
}
