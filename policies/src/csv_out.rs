//! Tables for spreadsheets: every CSV that the server writes.
//!
//! Semicolons, CRLF and a byte order mark, so that a French spreadsheet opens them as they are; and no cell that a spreadsheet
//! would calculate: whoever may choose a name must not choose a formula for whoever opens the list.

use std::borrow::Cow;

/// A table while it is written.
#[derive(Debug, Clone)]
pub struct Sheet {
    bytes: Vec<u8>,
}

impl Sheet {
    /// Begins a table with its headers.
    pub fn new<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        let mut sheet = Self { bytes: "\u{feff}".into() };
        sheet.row(headers);
        sheet
    }

    /// Goes on with a table that was begun in another piece: no mark, no headers.
    pub fn go_on() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Adds a row.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        for (index, cell) in cells.into_iter().enumerate() {
            if index > 0 {
                self.bytes.push(b';');
            }
            let cell = neutral(cell);
            if cell.contains(['"', ';', ',', '\n', '\r', '\t']) || cell.starts_with(' ') || cell.ends_with(' ') {
                self.bytes.push(b'"');
                self.bytes.extend(cell.replace('"', "\"\"").bytes());
                self.bytes.push(b'"');
            } else {
                self.bytes.extend(cell.bytes());
            }
        }
        self.bytes.extend(b"\r\n");
    }

    /// The file.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The cell as text: an apostrophe before what a spreadsheet would take for the beginning of a formula, spaces before it or not.
///
/// Wide forms count as well: some spreadsheets in East Asian settings take them for the narrow ones.
pub fn neutral(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['\t', '\r', '\n']) || begins_formula(cell.trim_start()) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// Whether a spreadsheet would calculate a cell that begins so.
pub(crate) fn begins_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_text() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("+33 6", "'+33 6"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("\t=1", "'\t=1"),
            ("\r", "'\r"),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
            ("Zoé", "Zoé"),
            ("", ""),
        ] {
            assert_eq!(neutral(cell), expected, "{cell:?}");
        }
    }

    #[test]
    fn a_french_spreadsheet_opens_it() {
        let mut sheet = Sheet::new(["Nom", "Note"]);
        sheet.row(["Lefèvre; \"Zoé\"", "=A1\nfin"]);
        let text = String::from_utf8(sheet.finish()).unwrap();
        assert_eq!(text, "\u{feff}Nom;Note\r\n\"Lefèvre; \"\"Zoé\"\"\";\"'=A1\nfin\"\r\n");
    }

    proptest! {
        #[test]
        fn any_cells_come_back_and_none_begins_a_formula(
            rows in prop::collection::vec(prop::collection::vec(any::<String>(), 2..5), 1..8),
        ) {
            let mut sheet = Sheet::new(["a"]);
            for row in &rows {
                sheet.row(row.iter().map(String::as_str));
            }
            let file = sheet.finish();
            let read: Vec<csv::StringRecord> = csv::ReaderBuilder::new()
                .delimiter(b';')
                .flexible(true)
                .from_reader(&file[3..])
                .into_records()
                .collect::<Result<_, _>>()
                .unwrap();
            prop_assert_eq!(read.len(), rows.len());
            for (record, row) in read.iter().zip(&rows) {
                prop_assert_eq!(record.len(), row.len());
                for (cell, original) in record.iter().zip(row) {
                    prop_assert!(!cell.trim_start().starts_with(['=', '+', '-', '@']), "{:?}", cell);
                    let same = cell == original || cell.strip_prefix('\'') == Some(original);
                    prop_assert!(same, "{:?} of {:?}", cell, original);
                }
            }
        }
    }
}
