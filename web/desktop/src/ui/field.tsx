import type { ReactNode } from "react";
import {
  Button, Checkbox as AriaCheckbox, FieldError, Input, Label, ListBox, ListBoxItem, NumberField as AriaNumberField, Popover, Select as AriaSelect, SelectValue, Switch as AriaSwitch, Text, TextArea,
  TextField as AriaTextField,
} from "react-aria-components";
import { Check, ChevronDown } from "./icons";

const input = "h-8 w-full min-w-0 rounded-md border border-edge bg-surface px-2.5 text-ink placeholder:text-muted disabled:opacity-50 invalid:border-bad";

interface Common {
  label: string;
  /** The label is only said. */
  hideLabel?: boolean;
  hint?: ReactNode;
  error?: string | undefined;
  className?: string;
  isRequired?: boolean;
  isDisabled?: boolean;
  name?: string;
}

function Around(props: Common & { children: ReactNode }) {
  return (
    <>
      <Label className={props.hideLabel ? "sr-only" : "text-xs font-medium text-ink"}>
        {props.label}
        {props.isRequired ? <span aria-hidden="true" className="text-bad"> *</span> : null}
      </Label>
      {props.children}
      {props.hint ? (
        <Text slot="description" className="text-xs text-muted">
          {props.hint}
        </Text>
      ) : null}
      <FieldError className="text-xs text-bad">{props.error}</FieldError>
    </>
  );
}

interface TextProps extends Common {
  value: string;
  onChange: (value: string) => void;
  type?: string;
  placeholder?: string;
  autoFocus?: boolean;
  autoComplete?: string;
  lines?: number;
  maxLength?: number;
  mono?: boolean;
  onKeyDown?: (event: { key: string }) => void;
}

export function TextField(props: TextProps) {
  const { value, onChange, type, placeholder, autoFocus, autoComplete, lines, maxLength, mono, className, error, isRequired, isDisabled, name, onKeyDown } = props;
  return (
    <AriaTextField
      value={value} onChange={onChange} isInvalid={Boolean(error)} className={`flex min-w-0 flex-col gap-1 ${className ?? ""}`}
      {...(type ? { type } : {})} {...(autoComplete ? { autoComplete } : {})} {...(maxLength ? { maxLength } : {})} {...(name ? { name } : {})}
      {...(isRequired ? { isRequired } : {})} {...(isDisabled ? { isDisabled } : {})} {...(autoFocus ? { autoFocus } : {})} {...(onKeyDown ? { onKeyDown } : {})}
      validationBehavior="aria"
    >
      <Around {...props}>
        {lines ? <TextArea rows={lines} placeholder={placeholder} className={`${input.replace("h-8 ", "")} py-1.5 ${mono ? "font-mono text-xs" : ""}`} /> : <Input placeholder={placeholder} className={`${input} ${mono ? "font-mono" : ""}`} />}
      </Around>
    </AriaTextField>
  );
}

export function NumberField(props: Common & { value: number | null; onChange: (value: number | null) => void; min?: number; max?: number; step?: number; unit?: string }) {
  const { value, onChange, min, max, step, className, error, isDisabled, isRequired } = props;
  return (
    <AriaNumberField
      value={value ?? Number.NaN} onChange={(n) => onChange(Number.isNaN(n) ? null : n)} isInvalid={Boolean(error)} className={`flex min-w-0 flex-col gap-1 ${className ?? ""}`}
      {...(min !== undefined ? { minValue: min } : {})} {...(max !== undefined ? { maxValue: max } : {})} {...(step ? { step } : {})} {...(isDisabled ? { isDisabled } : {})} {...(isRequired ? { isRequired } : {})}
    >
      <Around {...props}>
        <div className="flex items-center gap-2">
          <Input className={input} />
          {props.unit ? <span className="shrink-0 text-xs text-muted">{props.unit}</span> : null}
        </div>
      </Around>
    </AriaNumberField>
  );
}

export interface Choice {
  id: string;
  name: string;
  detail?: string;
}

export function Select(props: Common & { value: string | null; onChange: (value: string) => void; choices: Choice[]; placeholder?: string; small?: boolean }) {
  const { value, onChange, choices, placeholder, className, error, isDisabled, isRequired } = props;
  return (
    <AriaSelect
      selectedKey={value} onSelectionChange={(key) => onChange(String(key))} isInvalid={Boolean(error)} className={`flex min-w-0 flex-col gap-1 ${className ?? ""}`}
      {...(isDisabled ? { isDisabled } : {})} {...(isRequired ? { isRequired } : {})} {...(placeholder ? { placeholder } : {})}
    >
      <Around {...props}>
        <Button className={`${input} flex cursor-default items-center justify-between gap-2 text-start`}>
          <SelectValue className="truncate data-placeholder:text-muted" />
          <ChevronDown size={14} aria-hidden className="shrink-0 text-muted" />
        </Button>
        <Popover className="z-50 min-w-(--trigger-width) rounded-md border border-line bg-raised p-1 shadow-lg">
          <ListBox items={choices} className="max-h-72 overflow-auto outline-none">
            {(item) => (
              <ListBoxItem id={item.id} textValue={item.name} className="flex cursor-default items-center justify-between gap-3 rounded px-2 py-1.5 outline-none focus:bg-accent-soft selected:font-medium">
                {({ isSelected }) => (
                  <>
                    <span>
                      {item.name}
                      {item.detail ? <span className="ms-2 text-xs text-muted">{item.detail}</span> : null}
                    </span>
                    {isSelected ? <Check size={14} aria-hidden /> : null}
                  </>
                )}
              </ListBoxItem>
            )}
          </ListBox>
        </Popover>
      </Around>
    </AriaSelect>
  );
}

export function Switch(props: { label: ReactNode; value: boolean; onChange: (value: boolean) => void; hint?: string; isDisabled?: boolean }) {
  return (
    <AriaSwitch isSelected={props.value} onChange={props.onChange} {...(props.isDisabled ? { isDisabled: true } : {})} className="group flex cursor-default items-start gap-2.5">
      <span className="mt-0.5 flex h-4.5 w-8 shrink-0 items-center rounded-full border border-edge bg-sunken p-0.5 transition-colors group-selected:border-accent group-selected:bg-accent group-focus-visible:outline-2 group-focus-visible:outline-offset-2 group-focus-visible:outline-accent">
        <span className="size-3 rounded-full bg-edge transition-transform group-selected:translate-x-3.5 group-selected:bg-on-accent rtl:group-selected:-translate-x-3.5" />
      </span>
      <span>
        {props.label}
        {props.hint ? <span className="block text-xs text-muted">{props.hint}</span> : null}
      </span>
    </AriaSwitch>
  );
}

export function Checkbox(props: { label: ReactNode; value: boolean; onChange: (value: boolean) => void; isDisabled?: boolean }) {
  return (
    <AriaCheckbox isSelected={props.value} onChange={props.onChange} {...(props.isDisabled ? { isDisabled: true } : {})} className="group flex cursor-default items-center gap-2 disabled:opacity-50">
      <span className="flex size-4 shrink-0 items-center justify-center rounded border border-edge bg-surface group-selected:border-accent group-selected:bg-accent group-focus-visible:outline-2 group-focus-visible:outline-offset-2 group-focus-visible:outline-accent">
        <Check size={12} aria-hidden className="hidden text-on-accent group-selected:block" />
      </span>
      {props.label}
    </AriaCheckbox>
  );
}
