//! Strict quoting: a stray quote must not swallow rows in silence.
//!
//! Lenient CSV readers take `"` without its partner as the start of a field
//! that runs to the next quote, or to the end of the file, and the rows in
//! between vanish. This scan refuses such files and says where the quote is.

/// What is wrong with the quotes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuoteFault {
    /// A quoted field never ends; found at its opening quote.
    Unclosed,
    /// Text follows a closing quote; found at that text.
    TextAfter,
    /// Blanks precede an opening quote; found at that quote.
    BlankBefore,
}

enum State {
    FieldStart,
    /// Only blanks since the start of the field.
    Blank,
    Plain,
    Quoted {
        opened: usize,
    },
    /// After a quote inside a quoted field: its end, or half of a doubled quote.
    QuoteInQuoted {
        opened: usize,
    },
    /// Only blanks since the closing quote.
    Closed,
}

/// Checks that every quoted field starts with its quote, is closed, and ends
/// with a delimiter or a line end; otherwise returns the fault and its offset.
pub(super) fn check(text: &[u8], delimiter: u8) -> Result<(), (QuoteFault, usize)> {
    let mut state = State::FieldStart;
    for (offset, &byte) in text.iter().enumerate() {
        let ends_field = byte == delimiter || byte == b'\n' || byte == b'\r';
        let blank = byte == b' ' || byte == b'\t';
        state = match (state, byte) {
            (State::Quoted { opened }, b'"') => State::QuoteInQuoted { opened },
            (State::Quoted { opened }, _) => State::Quoted { opened },
            (State::QuoteInQuoted { opened }, b'"') => State::Quoted { opened },
            (_, _) if ends_field => State::FieldStart,
            (State::QuoteInQuoted { .. } | State::Closed, _) if blank => State::Closed,
            (State::QuoteInQuoted { .. } | State::Closed, _) => {
                return Err((QuoteFault::TextAfter, offset));
            }
            (State::FieldStart, b'"') => State::Quoted { opened: offset },
            (State::Blank, b'"') => return Err((QuoteFault::BlankBefore, offset)),
            (State::FieldStart | State::Blank, _) if blank => State::Blank,
            (State::FieldStart | State::Blank | State::Plain, _) => State::Plain,
        };
    }
    match state {
        State::Quoted { opened } => Err((QuoteFault::Unclosed, opened)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proper_quoting_passes() {
        for text in [
            "",
            "a,b\n",
            "\"a\"",
            "\"a,b\",c\r\n",
            "\"a\nb\"\n",
            "\"say \"\"hi\"\"\",x",
            "\"\",\"\"",
            "5\" pipe,x\n",
            "\"\"\"\"",
        ] {
            assert_eq!(check(text.as_bytes(), b','), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn stray_quotes_are_found() {
        assert_eq!(check(b"a,\"b\nc,d\n", b','), Err((QuoteFault::Unclosed, 2)));
        assert_eq!(check(b"\"a\"x,b", b','), Err((QuoteFault::TextAfter, 3)));
        assert_eq!(check(b"\"a\";b", b','), Err((QuoteFault::TextAfter, 3)));
        assert_eq!(check(b"\"a\";b", b';'), Ok(()));
        assert_eq!(check(b"\"a\" x,b", b','), Err((QuoteFault::TextAfter, 4)));
        assert_eq!(check(b"a, \"b,c\"", b','), Err((QuoteFault::BlankBefore, 3)));
    }
}
