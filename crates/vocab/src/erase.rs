//! Taking people out of events: every field of type [`Pii`] becomes the neutral value of its type. The
//! events macro asks each field; which of the two traits answers is decided by the field's type.

use crate::pii::Pii;

pub struct Field<'a, T>(pub &'a mut T);

/// Fields that hold something of a person.
pub trait Personal {
    /// Whether there was anything.
    fn erase(&mut self) -> bool;
}

impl<T: Default + PartialEq> Personal for Field<'_, Pii<T>> {
    fn erase(&mut self) -> bool {
        let before = std::mem::take(&mut self.0.0);
        before != T::default()
    }
}
impl<T> Personal for Field<'_, Option<Pii<T>>> {
    fn erase(&mut self) -> bool {
        self.0.take().is_some()
    }
}
impl<T: Default + PartialEq> Personal for Field<'_, Vec<Pii<T>>> {
    fn erase(&mut self) -> bool {
        let any = !self.0.is_empty();
        self.0.clear();
        any
    }
}

/// All other fields stay as they are.
pub trait Plain {
    fn erase(&mut self) -> bool;
}
impl<T> Plain for &mut Field<'_, T> {
    fn erase(&mut self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use crate::event::{Direction, Event};
    use crate::id::TypedId;
    use crate::party::Address;
    use crate::{LegId, Pii, Uci};

    #[test]
    fn people_go_and_the_rest_stays() {
        let started = |from: Address, name: Option<&str>, to: Address| Event::Started {
            direction: Direction::Inbound,
            from: Pii(from),
            from_name: name.map(|n| Pii(n.into())),
            to: Pii(to),
            uci: Uci::from_u128(7),
            number: None,
            trunk: None,
        };
        let number = |n: &str| Address::Number(n.into());
        let mut event = started(number("+4930123456"), Some("Ann"), number("+4930999"));
        assert!(event.erase());
        assert_eq!(event, started(Address::Anonymous, None, Address::Anonymous));
        assert!(!event.erase(), "nothing is left");
        let mut digit = Event::DigitReceived {
            leg: LegId::from_u128(1),
            digit: Pii('7'),
        };
        assert!(digit.erase());
        let text = serde_json::to_string(&digit).unwrap();
        assert!(!text.contains('7'), "{text}");
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), digit);
        let mut plain = Event::LegHeld {
            leg: LegId::from_u128(1),
            by_far_end: true,
        };
        assert!(!plain.erase());
    }
}
