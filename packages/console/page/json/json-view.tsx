import { Button } from "@mantine/core";
import { useMemo, useState, type ReactNode } from "react";
import { formatBytes } from "../format/numbers.ts";
import { texts } from "../texts.ts";
import { linesOf, piecesOf } from "./json-lines.ts";
import classes from "./json-view.module.css";

const lineHeight = 20;
const spare = 10;

interface JsonViewProps {
  readonly label: string;
  readonly value: unknown;
  readonly bytes?: number;
  readonly maxHeight?: number;
}

/** JSON of any size: only the lines in sight are drawn, and a line that is too long is folded. */
export function JsonView({ label, value, bytes, maxHeight = 420 }: JsonViewProps): ReactNode {
  const lines = useMemo(() => linesOf(value), [value]);
  const [top, setTop] = useState(0);
  const height = Math.min(maxHeight, lines.length * lineHeight + 16);
  const first = Math.max(0, Math.floor(top / lineHeight) - spare);
  const drawn = lines.slice(first, first + Math.ceil(height / lineHeight) + 2 * spare);
  return (
    <div className={classes.view}>
      {/* What scrolls must be reached with the keyboard. */}
      <div
        className={classes.scroll}
        style={{ height }}
        tabIndex={0}
        role="region"
        aria-label={texts.json.of(label)}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      >
        <pre className={classes.lines} style={{ height: lines.length * lineHeight }}>
          <code className={classes.drawn} style={{ top: first * lineHeight }}>
            {drawn.map((line, index) => (
              <Line key={first + index} text={line} />
            ))}
          </code>
        </pre>
      </div>
      <div className={classes.foot}>
        <span>{bytes === undefined ? texts.json.lines(lines.length) : texts.json.size(formatBytes(bytes), lines.length)}</span>
        <CopyJson value={value} />
      </div>
    </div>
  );
}

function Line({ text }: { readonly text: string }): ReactNode {
  return (
    <span className={classes.line}>
      {piecesOf(text).map((piece, index) => (
        // Pieces of a line never move.
        <span key={index} data-kind={piece.kind}>
          {piece.text}
        </span>
      ))}
      {"\n"}
    </span>
  );
}

/** The text is made when it is wanted: it may be a megabyte. */
function CopyJson({ value }: { readonly value: unknown }): ReactNode {
  const [isCopied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard.writeText(JSON.stringify(value, null, 2) ?? "").then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    });
  };
  return (
    <Button size="compact-xs" variant="subtle" onClick={copy}>
      {isCopied ? texts.json.copied : texts.json.copy}
    </Button>
  );
}
