//! A slab whose handles carry a serial number, so that a handle kept too long (in a timer, in a
//! log) finds nothing instead of somebody else's entry.

/// Names one entry of a [`Table`]; never found again once the entry is removed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Handle {
    pub(crate) index: u32,
    pub(crate) serial: u32,
}

enum Slot<T> {
    Free { next: u32 },
    Used { serial: u32, value: T },
}

/// No further free slot.
const NIL: u32 = u32::MAX;

/// Entries by [`Handle`]; bounded by its users (`UaLimits`).
pub(crate) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: u32,
    serial: u32,
    len: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: NIL,
            serial: 0,
            len: 0,
        }
    }
}

impl<T> Table<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, value: T) -> Handle {
        self.serial = self.serial.wrapping_add(1).max(1);
        let serial = self.serial;
        self.len += 1;
        let slot = Slot::Used { serial, value };
        let index = if self.free == NIL {
            self.slots.push(slot);
            (self.slots.len() - 1) as u32
        } else {
            let index = self.free;
            if let Slot::Free { next } = self.slots[index as usize] {
                self.free = next;
            }
            self.slots[index as usize] = slot;
            index
        };
        Handle { index, serial }
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        match self.slots.get(handle.index as usize) {
            Some(Slot::Used { serial, value }) if *serial == handle.serial => Some(value),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        match self.slots.get_mut(handle.index as usize) {
            Some(Slot::Used { serial, value }) if *serial == handle.serial => Some(value),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        self.get(handle)?;
        let slot = std::mem::replace(
            &mut self.slots[handle.index as usize],
            Slot::Free { next: self.free },
        );
        self.free = handle.index;
        self.len -= 1;
        match slot {
            Slot::Used { value, .. } => Some(value),
            Slot::Free { .. } => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(i, slot)| match slot {
                Slot::Used { serial, value } => Some((
                    Handle {
                        index: i as u32,
                        serial: *serial,
                    },
                    value,
                )),
                Slot::Free { .. } => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_handle_finds_nothing() {
        let mut table = Table::default();
        let a = table.insert("a");
        assert_eq!(table.get(a), Some(&"a"));
        assert_eq!(table.remove(a), Some("a"));
        let b = table.insert("b");
        assert_eq!(a.index, b.index);
        assert_eq!(table.get(a), None);
        assert_eq!(table.remove(a), None);
        assert_eq!(table.get_mut(b), Some(&mut "b"));
        assert_eq!(table.len(), 1);
        assert_eq!(table.iter().count(), 1);
    }
}
