import type { ReactNode } from "react";
import { Button as AriaButton, Tooltip, TooltipTrigger, type ButtonProps } from "react-aria-components";
import { useBusy } from "../lib/action";
import { keyName } from "../lib/hotkeys";

type Look = "plain" | "primary" | "good" | "danger" | "quiet" | "on";

const looks: Record<Look, string> = {
  plain: "border-line bg-raised text-ink hover:border-edge pressed:bg-sunken",
  primary: "border-transparent bg-accent text-on-accent hover:brightness-110",
  good: "border-transparent bg-good text-on-good hover:brightness-110",
  danger: "border-transparent bg-bad text-on-bad hover:brightness-110",
  quiet: "border-transparent bg-transparent text-muted hover:bg-sunken hover:text-ink",
  on: "border-accent bg-accent-soft text-ink hover:brightness-105",
};

interface Props extends Omit<ButtonProps, "children" | "className"> {
  look?: Look;
  size?: "small" | "normal" | "large";
  icon?: ReactNode;
  children?: ReactNode;
  /** Key of the action it runs: disabled while that runs. */
  busy?: string;
  /** Alt and this letter do the same; shown at the end. */
  hotkey?: string;
  className?: string;
}

export function Button(props: Props) {
  const { look = "plain", size = "normal", icon, children, busy, hotkey, className, isDisabled, ...rest } = props;
  const running = useBusy(busy ?? "");
  const sizes = { small: "h-7 px-2 gap-1 text-xs", normal: "h-8 px-3 gap-1.5", large: "h-10 px-4 gap-2" };
  return (
    <AriaButton
      {...rest}
      isDisabled={isDisabled || (Boolean(busy) && running)}
      className={`inline-flex shrink-0 cursor-default items-center justify-center rounded-md border font-medium whitespace-nowrap transition-colors select-none disabled:opacity-45 ${looks[look]} ${sizes[size]} ${className ?? ""}`}
    >
      {icon}
      {children}
      {hotkey ? (
        <kbd aria-hidden="true" className="ms-1 rounded border border-current/30 px-1 font-sans text-[0.6875rem] font-normal">
          {keyName(hotkey)}
        </kbd>
      ) : null}
    </AriaButton>
  );
}

/** A button that is only a picture; its name is said and shown on hover and focus. */
export function IconButton(props: Omit<Props, "children" | "hotkey"> & { label: string }) {
  const { label, size = "normal", className, ...rest } = props;
  const sizes = { small: "w-7 px-0!", normal: "w-8 px-0!", large: "w-10 px-0!" };
  return (
    <TooltipTrigger delay={400}>
      <Button {...rest} size={size} aria-label={label} className={`${sizes[size]} ${className ?? ""}`} />
      <Tooltip offset={6} className="rounded bg-ink px-2 py-1 text-xs text-surface shadow-md">
        {label}
      </Tooltip>
    </TooltipTrigger>
  );
}

interface ToolProps extends Omit<ButtonProps, "children" | "className"> {
  /** What it does; said, and shown with its key when it is pointed at. */
  name: string;
  /** The word below the picture, when the name is too long for it. */
  short?: string;
  icon: ReactNode;
  look?: "plain" | "danger";
  /** Pressed in. */
  on?: boolean;
  /** Whether what it opens is open. */
  open?: boolean;
  busy?: string;
  hotkey?: string;
  className?: string;
}

/** A tool of a bar: a picture with a word below it, all of one width. */
export function ToolButton(props: ToolProps) {
  const { name, short, icon, look = "plain", on, open, busy, hotkey, className, isDisabled, ...rest } = props;
  const running = useBusy(busy ?? "");
  return (
    <TooltipTrigger delay={500}>
      <AriaButton
        {...rest} aria-label={name} {...(on === undefined ? {} : { "aria-pressed": on })} {...(open === undefined ? {} : { "aria-expanded": open })}
        isDisabled={isDisabled || (Boolean(busy) && running)}
        className={`flex h-13 w-14.5 shrink-0 cursor-default flex-col items-center justify-center gap-1 rounded-md border text-[0.6875rem] leading-none font-medium transition-colors select-none disabled:opacity-45 ${looks[on || open ? "on" : look]} ${className ?? ""}`}
      >
        {icon}
        <span className="max-w-full truncate px-0.5">{short ?? name}</span>
      </AriaButton>
      <Tooltip offset={6} className="rounded bg-ink px-2 py-1 text-xs text-surface shadow-md">
        {hotkey ? `${name} · ${keyName(hotkey)}` : name}
      </Tooltip>
    </TooltipTrigger>
  );
}
