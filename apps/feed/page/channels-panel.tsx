import { Button, TextInput } from "@mantine/core";
import { IconCheck, IconPlus } from "@tabler/icons-react";
import { useState, type FormEvent, type ReactNode } from "react";
import form from "../../site/page/form.module.css";
import { Panel } from "../../site/page/panel.tsx";
import { RequestFailed } from "../../site/page/request.ts";
import { longestChannelName } from "../limits.ts";
import { createChannel } from "./api.ts";
import classes from "./channels-panel.module.css";
import type { ChannelList } from "./use-channels.ts";

interface ChannelsPanelProps {
  readonly list: ChannelList;
  /** Undefined: all that are followed. */
  readonly selected: string | undefined;
  onSelect(channel: string | undefined): void;
}

export function ChannelsPanel({ list, selected, onSelect }: ChannelsPanelProps): ReactNode {
  const { channels = [], followed, hasRoom, follow, refresh } = list;
  return (
    <Panel title="Channels">
      <ul className={classes.list} data-testid="channels">
        <li className={classes.row} data-selected={selected === undefined}>
          <button
            type="button"
            className={classes.name}
            aria-current={selected === undefined ? "true" : undefined}
            onClick={() => onSelect(undefined)}
          >
            All you follow
          </button>
          <span className={classes.count}>{followed.length}</span>
        </li>
        {channels.map((channel) => (
          <ChannelRow
            key={channel}
            channel={channel}
            isSelected={selected === channel}
            isFollowed={followed.includes(channel)}
            hasRoom={hasRoom}
            onSelect={() => onSelect(channel)}
            onFollow={(isFollowed) => follow(channel, isFollowed)}
          />
        ))}
      </ul>
      <NewChannel
        onCreated={(channel) => {
          if (hasRoom) follow(channel, true);
          onSelect(channel);
          refresh();
        }}
      />
    </Panel>
  );
}

interface ChannelRowProps {
  readonly channel: string;
  readonly isSelected: boolean;
  readonly isFollowed: boolean;
  readonly hasRoom: boolean;
  onSelect(): void;
  onFollow(isFollowed: boolean): void;
}

function ChannelRow({ channel, isSelected, isFollowed, hasRoom, onSelect, onFollow }: ChannelRowProps): ReactNode {
  return (
    <li className={classes.row} data-selected={isSelected}>
      <button type="button" className={classes.name} title={channel} aria-current={isSelected ? "true" : undefined} onClick={onSelect}>
        <span className={classes.sign} aria-hidden="true">
          #
        </span>
        {channel}
      </button>
      <FollowButton channel={channel} isFollowed={isFollowed} hasRoom={hasRoom} onFollow={onFollow} />
    </li>
  );
}

interface FollowButtonProps {
  readonly channel: string;
  readonly isFollowed: boolean;
  readonly hasRoom: boolean;
  onFollow(isFollowed: boolean): void;
}

export function FollowButton({ channel, isFollowed, hasRoom, onFollow }: FollowButtonProps): ReactNode {
  return (
    <Button
      variant={isFollowed ? "subtle" : "default"}
      size="compact-sm"
      className={classes.follow ?? ""}
      {...(isFollowed ? { color: "gray" } : {})}
      leftSection={isFollowed ? <IconCheck size={14} stroke={2.25} /> : <IconPlus size={14} stroke={2.25} />}
      aria-label={`Follow ${channel}`}
      aria-pressed={isFollowed}
      disabled={!isFollowed && !hasRoom}
      onClick={() => onFollow(!isFollowed)}
    >
      {isFollowed ? "Following" : "Follow"}
    </Button>
  );
}

function NewChannel({ onCreated }: { readonly onCreated: (channel: string) => void }): ReactNode {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string>();

  const submit = async (): Promise<void> => {
    // As one would write it anyway.
    const channel = name.trim().replaceAll(/\s+/g, "_").replace(/^#/, "");
    if (channel === "") {
      setProblem("Give it a name.");
      return;
    }
    try {
      await createChannel(channel);
      setName("");
      onCreated(channel);
    } catch (error) {
      if (!(error instanceof RequestFailed)) throw error;
      setProblem(error.message);
    }
  };

  return (
    <form
      noValidate
      className={classes.form}
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        void submit();
      }}
    >
      <TextInput
        label="New channel"
        classNames={{ label: form.label ?? "" }}
        placeholder="release_notes"
        value={name}
        error={problem}
        maxLength={longestChannelName}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        enterKeyHint="done"
        onChange={(event) => {
          setName(event.currentTarget.value);
          setProblem(undefined);
        }}
      />
      <Button type="submit" variant="default">
        Create
      </Button>
    </form>
  );
}
