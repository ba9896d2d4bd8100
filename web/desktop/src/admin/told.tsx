// What the server tells once: secrets of keys, clients and partners.

import { t } from "../lib/i18n";
import { Button } from "../ui/button";
import { Dialog } from "../ui/parts";
import { Secret } from "../ui/secret";

export interface Telling {
  title: string;
  items: { label: string; value: string }[];
}

export function Told(props: { telling: Telling; onClose: () => void }) {
  const { telling, onClose } = props;
  return (
    <Dialog
      title={telling.title} isOpen onClose={onClose}
      footer={
        <Button look="primary" onPress={onClose}>
          {t("I have kept it")}
        </Button>
      }
    >
      <div className="flex flex-col gap-3">
        <p>{t("The secret is shown only now. Whoever has it can do what it allows.")}</p>
        {telling.items.map((i) => (
          <Secret key={i.label} label={i.label} value={i.value} />
        ))}
      </div>
    </Dialog>
  );
}
