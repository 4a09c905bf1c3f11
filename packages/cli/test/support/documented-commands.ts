/** A command line of a document, without what the shell does around it. */
export interface DocumentedCommand {
  readonly line: number;
  readonly args: readonly string[];
}

/**
 * Every command line `keyline ...` of a document, in its order: of blocks for a shell and of what is shown of a terminal, where it stands behind a `$`, and of what stands within a sentence
 * as code.
 */
export function documentedCommands(markdown: string): DocumentedCommand[] {
  const found: DocumentedCommand[] = [];
  let block: string | undefined;
  markdown.split("\n").forEach((text, index) => {
    const note = (rest: string | undefined): void => {
      if (rest !== undefined) found.push({ line: index + 1, args: words(rest) });
    };
    const [, language] = /^```(\w*)/.exec(text) ?? [];
    if (language !== undefined) block = block === undefined ? language : undefined;
    else if (block === "console") note(/^\$ (?:npx )?keyline (.+)$/.exec(text)?.[1]);
    else if (block === "sh") note(/^(?:source <\()?(?:npx )?keyline (.+)$/.exec(text)?.[1]);
    else if (block === undefined) for (const [, rest] of text.matchAll(/`(?:npx )?keyline ([^`]+)`/g)) note(rest);
  });
  return found;
}

/** As a shell reads them, up to a comment, a pipe, or where the output goes. */
function words(text: string): string[] {
  const all: string[] = [];
  for (const [, single, double, bare = ""] of text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)) {
    const quoted = single ?? double;
    if (quoted === undefined && /^[#|>)]/.test(bare)) break;
    const isLast = quoted === undefined && bare.endsWith(")");
    all.push(quoted ?? (isLast ? bare.slice(0, -1) : bare));
    if (isLast) break;
  }
  return all;
}
