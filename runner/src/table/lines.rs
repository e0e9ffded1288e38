//! Line numbers of byte offsets, whatever the line ends are (LF, CR LF or CR).

/// Walks forward through a text and tells on which line an offset lies.
pub(super) struct LineCounter<'a> {
    text: &'a [u8],
    offset: usize,
    line: u32,
}

impl<'a> LineCounter<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        LineCounter { text, offset: 0, line: 1 }
    }

    /// The line, from 1, of the byte at `offset`, which must not lie before
    /// the offset asked for last.
    pub(super) fn line_at(&mut self, offset: usize) -> u32 {
        while self.offset < offset.min(self.text.len()) {
            let byte = self.text[self.offset];
            let ends_line = match byte {
                b'\n' => true,
                b'\r' => self.text.get(self.offset + 1) != Some(&b'\n'),
                _ => false,
            };
            self.line += u32::from(ends_line);
            self.offset += 1;
        }
        self.line
    }
}

/// The line and the byte column, both from 1, of an offset.
pub(super) fn position(text: &[u8], offset: usize) -> (u32, usize) {
    let line = LineCounter::new(text).line_at(offset);
    let line_start = text[..offset]
        .iter()
        .rposition(|byte| matches!(byte, b'\n' | b'\r'))
        .map_or(0, |at| at + 1);
    (line, offset - line_start + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_counts_once() {
        let text = b"a\nb\r\nc\rd\n\ne";
        let mut counter = LineCounter::new(text);
        let lines: Vec<u32> = (0..text.len())
            .filter(|&at| text[at].is_ascii_alphabetic())
            .map(|at| counter.line_at(at))
            .collect();
        assert_eq!(lines, [1, 2, 3, 4, 6]);
        assert_eq!(position(text, 5), (3, 1));
    }
}
