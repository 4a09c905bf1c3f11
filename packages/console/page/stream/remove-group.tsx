import type { ReactNode } from "react";
import { useLocation } from "wouter";
import { ActButton } from "../acts/act-button.tsx";
import { paths } from "../routes.ts";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";

const words = texts.stream;

interface RemoveGroupProps {
  readonly stream: string;
  readonly group: string;
}

export function RemoveGroup({ stream, group }: RemoveGroupProps): ReactNode {
  const [, navigate] = useLocation();
  return (
    <ActButton
      isDangerous
      variant="light"
      label={words.remove}
      question={{ title: words.removeTitle(group), text: words.removeText, button: words.remove, typed: group }}
      run={async () => {
        await post(`streams/${stream}/groups/${group}/remove`, { confirm: group });
        navigate(paths.stream(stream));
        return words.removed(group);
      }}
    />
  );
}
