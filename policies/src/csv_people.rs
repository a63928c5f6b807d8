//! Lists of people as spreadsheets write them: read for a preview, row by row, with everything that is wrong (issue 5, import).
//!
//! French spreadsheets write semicolons, Windows-1252 or UTF-8 with a byte order mark, dates as `31/12/2026` and headers in
//! French; all of that is recognised, and English headers, commas and tabs as well. Nothing is guessed about a person: a cell that
//! cannot be read is a problem of its row, with its line, its column and a stable code.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::contact::{Email, Name};
use crate::{attributes, csv_out, search};

/// The largest file, in bytes.
pub const MAX_BYTES: usize = 20 * 1024 * 1024;
/// The most people in a file.
pub const MAX_ROWS: usize = 100_000;
/// The most columns.
pub const MAX_COLUMNS: usize = 64;
/// The longest cell, in characters.
pub const MAX_CELL_CHARACTERS: usize = 1_000;
/// The most problems that are told one by one; all are counted.
pub const MAX_PROBLEMS: usize = 10_000;
/// The longest login, in characters.
const MAX_LOGIN_CHARACTERS: usize = 256;
/// The most products of a person.
const MAX_PRODUCTS: usize = 20;
/// The most rights of a person.
const MAX_RIGHTS: usize = 100;
/// The longest cell of products or rights, in characters.
const MAX_LIST_CHARACTERS: usize = 40_000;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// Family name.
    Family,
    /// Given name.
    Given,
    /// Mail address.
    Email,
    /// Login.
    Login,
    /// Role in the organization.
    Role,
    /// Employee or external.
    Affiliation,
    /// By what right they act for the organization (R011).
    Mandate,
    /// Last day.
    EndsOn,
    /// Telephone.
    Phone,
    /// The products a seat is taken of.
    Products,
    /// The rights in portals.
    Rights,
    /// Day of birth.
    Birthdate,
}

/// Headers as they are written, folded by [`search::words`] and put together without spaces.
const HEADERS: [(Column, &[&str]); 12] = [
    (Column::Family, &["nom", "nomdefamille", "nomusage", "nomdusage", "familyname", "lastname", "surname"]),
    (Column::Given, &["prenom", "prenoms", "givenname", "firstname"]),
    (
        Column::Email,
        &[
            "courriel",
            "email",
            "mail",
            "mel",
            "adressemail",
            "adresseemail",
            "adressecourriel",
            "adresseelectronique",
            "emailaddress",
            "mailaddress",
        ],
    ),
    (Column::Login, &["identifiant", "login", "username", "nomdutilisateur", "identifiantdeconnexion"]),
    (Column::Role, &["role", "fonction"]),
    (Column::Affiliation, &["affiliation", "statut", "lien", "appartenance"]),
    (Column::Mandate, &["mandat", "mandate", "qualite"]),
    (
        Column::EndsOn,
        &["fin", "datedefin", "datefin", "finle", "dernierjour", "jusquau", "end", "enddate", "endson", "lastday"],
    ),
    (
        Column::Phone,
        &["telephone", "tel", "mobile", "portable", "telephoneportable", "numerodetelephone", "phone", "phonenumber"],
    ),
    (Column::Products, &["produit", "produits", "product", "products"]),
    (Column::Rights, &["droit", "droits", "right", "rights"]),
    (
        Column::Birthdate,
        &["datedenaissance", "naissance", "datenaissance", "nele", "neele", "birthdate", "dateofbirth", "birthday"],
    ),
];

/// Role of a person in the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary member, also when nothing is said.
    Member,
    /// Administrator of the organization.
    Administrator,
}

/// How a person belongs to the organization (R056).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affiliation {
    /// Of the house, also when nothing is said.
    Employee,
    /// From outside, until a day.
    External,
}

/// By what right a person acts for the organization (R011).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mandate {
    /// The law.
    LegalRepresentative,
    /// A delegation.
    Delegation,
    /// An invitation.
    Invitation,
    /// None: tokens tell no role of theirs.
    None,
}

impl Mandate {
    /// Every mandate.
    pub const ALL: [Self; 4] = [Self::LegalRepresentative, Self::Delegation, Self::Invitation, Self::None];

    /// The word it is stored by.
    pub fn name(self) -> &'static str {
        match self {
            Self::LegalRepresentative => "legal_representative",
            Self::Delegation => "delegation",
            Self::Invitation => "invitation",
            Self::None => "none",
        }
    }

    /// What an offer says: whoever accepts one has a mandate by that.
    pub fn of_offer(self) -> &'static str {
        if self == Self::None { Self::Invitation.name() } else { self.name() }
    }

    /// How a table of ours says it.
    pub fn cell(self) -> &'static str {
        match self {
            Self::LegalRepresentative => "Représentant légal",
            Self::Delegation => "Délégation",
            Self::Invitation => "Invitation",
            Self::None => "Aucun",
        }
    }

    /// The mandate of a membership.
    pub fn of(stored: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|mandate| stored == Some(mandate.name())).unwrap_or(Self::None)
    }
}

/// A person of the file, every cell read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line of the file at which the row begins; the header is line 1.
    pub line: u64,
    /// Family name.
    pub family: Name,
    /// Given name.
    pub given: Name,
    /// Mail address.
    pub email: Option<Email>,
    /// Login as typed; the address serves when there is none.
    pub login: Option<String>,
    /// Role.
    pub role: Role,
    /// Affiliation.
    pub affiliation: Affiliation,
    /// Mandate; nothing when the file says nothing.
    pub mandate: Option<Mandate>,
    /// Last day.
    pub ends_on: Option<Date>,
    /// Telephone, in E.164.
    pub phone: Option<String>,
    /// Products as typed, each once; empty when the cell is.
    pub products: Vec<String>,
    /// Rights as typed, [`right`] of each, each once; empty when the cell is.
    pub rights: Vec<String>,
    /// Day of birth.
    pub birthdate: Option<Date>,
}

/// What is wrong with a row. The names of [`Wrong::code`] are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A cell that is needed is empty.
    Missing,
    /// No name of a person.
    Name,
    /// No mail address.
    Email,
    /// No login: spaces, control characters, too long.
    Login,
    /// A login that reads as an address, and is not the person's.
    LoginAddress,
    /// No role we know.
    Role,
    /// No affiliation we know.
    Affiliation,
    /// No mandate we know.
    Mandate,
    /// No day, such as `31/12/2026` or `2026-12-31`.
    Date,
    /// No telephone number.
    Phone,
    /// No list of products: too many.
    Products,
    /// No list of rights, such as `portal:role, portal:role`, or too many.
    Rights,
    /// An external without a last day (R056).
    EndMissing,
    /// A cell of more than [`MAX_CELL_CHARACTERS`].
    TooLong,
    /// More cells than there are headers.
    ExtraCells,
    /// The login, or the address that serves as one, stands in an earlier line.
    Duplicate {
        /// That line.
        first_line: u64,
    },
}

impl Wrong {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Name => "name",
            Self::Email => "email",
            Self::Login => "login",
            Self::LoginAddress => "login_address",
            Self::Role => "role",
            Self::Affiliation => "affiliation",
            Self::Mandate => "mandate",
            Self::Date => "date",
            Self::Phone => "phone",
            Self::Products => "products",
            Self::Rights => "rights",
            Self::EndMissing => "end_missing",
            Self::TooLong => "too_long",
            Self::ExtraCells => "extra_cells",
            Self::Duplicate { .. } => "duplicate",
        }
    }
}

/// A problem of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file at which the row begins.
    pub line: u64,
    /// Header of the column as it is written; none when the row as a whole is concerned.
    pub column: Option<String>,
    /// What is wrong.
    pub wrong: Wrong,
}

/// How the file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// UTF-16 with a byte order mark: “Unicode text” of spreadsheets.
    Utf16,
    /// Windows-1252: what is no UTF-8.
    Windows1252,
}

/// A file that was read: good rows, and the problems of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// How it was written.
    pub encoding: Encoding,
    /// What separates cells.
    pub separator: char,
    /// The columns that were recognised, in the order of the file, with their headers as written.
    pub columns: Vec<(Column, String)>,
    /// Headers that nothing is known of: their cells are left out.
    pub unknown_columns: Vec<String>,
    /// Rows without a problem, in the order of the file.
    pub rows: Vec<Row>,
    /// Rows with a problem.
    pub bad_rows: usize,
    /// The problems, the first [`MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problem_count: usize,
}

/// Why a file as a whole is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// More than [`MAX_BYTES`].
    #[error("the file is larger than 20 MB")]
    TooLarge,
    /// Neither text in a known encoding, nor a spreadsheet's export.
    #[error("the file is no text; export it from the spreadsheet as CSV")]
    NotText,
    /// No header and no row.
    #[error("the file is empty")]
    Empty,
    /// More than [`MAX_COLUMNS`].
    #[error("the file has more than 64 columns")]
    TooManyColumns,
    /// More than [`MAX_ROWS`].
    #[error("the file has more than 100,000 rows")]
    TooManyRows,
    /// Columns without which nobody can be made: both names, and an address or a login.
    #[error("a column is missing")]
    MissingColumns(Vec<Column>),
    /// Two columns mean the same.
    #[error("two columns mean the same")]
    RepeatedColumn(String),
}

impl FileError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotText => "not_text",
            Self::Empty => "empty",
            Self::TooManyColumns => "too_many_columns",
            Self::TooManyRows => "too_many_rows",
            Self::MissingColumns(_) => "missing_columns",
            Self::RepeatedColumn(_) => "repeated_column",
        }
    }
}

/// Reads a list of people.
///
/// # Errors
/// [`FileError`], when the file as a whole cannot be read.
pub fn read(file: &[u8]) -> Result<Preview, FileError> {
    if file.len() > MAX_BYTES {
        return Err(FileError::TooLarge);
    }
    let (text, encoding) = decode(file)?;
    let (text, separator) = separator(&text);
    let mut records = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
        .into_records();
    let header = match records.next() {
        Some(Ok(header)) if header.iter().any(|cell| !cell.trim().is_empty()) => header,
        _ => return Err(FileError::Empty),
    };
    let header = Header::read(&header)?;
    let mut preview = Preview {
        encoding,
        separator: char::from(separator),
        columns: header.known.iter().map(|(column, index)| (*column, header.names[*index].clone())).collect(),
        unknown_columns: header.unknown(),
        rows: Vec::new(),
        bad_rows: 0,
        problems: Vec::new(),
        problem_count: 0,
    };
    let mut first_lines = HashMap::new();
    for record in records {
        let Ok(record) = record else { return Err(FileError::NotText) };
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if preview.rows.len() + preview.bad_rows >= MAX_ROWS {
            return Err(FileError::TooManyRows);
        }
        let line = record.position().map_or(0, csv::Position::line);
        let mut reading = Reading { header: &header, record: &record, problems: Vec::new() };
        let row = reading.row(line, &mut first_lines);
        let problems = reading.problems;
        match row {
            Some(row) if problems.is_empty() => preview.rows.push(row),
            _ => preview.bad_rows += 1,
        }
        preview.problem_count += problems.len();
        let room = MAX_PROBLEMS - preview.problems.len();
        let told = problems.into_iter().take(room);
        preview.problems.extend(told.map(|(column, wrong)| Problem { line, column, wrong }));
    }
    Ok(preview)
}

/// Decodes the file: a byte order mark says how; else UTF-8 if it is, else Windows-1252. Line ends become `\n`.
fn decode(file: &[u8]) -> Result<(String, Encoding), FileError> {
    let (text, encoding) = match encoding_rs::Encoding::for_bom(file) {
        Some((found, length)) => {
            let (text, bad) = found.decode_without_bom_handling(&file[length..]);
            let encoding = if found == encoding_rs::UTF_8 { Encoding::Utf8 } else { Encoding::Utf16 };
            if bad {
                return Err(FileError::NotText);
            }
            (text, encoding)
        }
        None => match std::str::from_utf8(file) {
            Ok(text) => (text.into(), Encoding::Utf8),
            Err(_) => (encoding_rs::WINDOWS_1252.decode_without_bom_handling(file).0, Encoding::Windows1252),
        },
    };
    // A workbook, an image or a PDF has them; no list of people does.
    if text.contains('\0') {
        return Err(FileError::NotText);
    }
    Ok((text.replace("\r\n", "\n").replace('\r', "\n"), encoding))
}

/// The text after a line `sep=;`, and what separates cells: what stands most often in the first row, outside of quotes.
fn separator(text: &str) -> (&str, u8) {
    if let Some(rest) = text.strip_prefix("sep=")
        && let Some((separator, rest)) = rest.split_once('\n')
        && let [separator @ (b';' | b',' | b'\t')] = separator.as_bytes()
    {
        return (rest, *separator);
    }
    let (mut counts, mut quoted) = ([(b';', 0), (b',', 0), (b'\t', 0)], false);
    for byte in text.trim_start_matches('\n').bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|(separator, _)| *separator == byte).for_each(|(_, count)| *count += 1),
        }
    }
    // Of equal ones the first.
    let best = counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b';', |(separator, _)| *separator);
    (text, best)
}

struct Header {
    names: Vec<String>,
    known: Vec<(Column, usize)>,
}

impl Header {
    fn read(record: &csv::StringRecord) -> Result<Self, FileError> {
        if record.len() > MAX_COLUMNS {
            return Err(FileError::TooManyColumns);
        }
        let names: Vec<String> =
            record.iter().map(|cell| cell.trim().chars().take(MAX_CELL_CHARACTERS).collect()).collect();
        let mut known: Vec<(Column, usize)> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let folded = search::words(name).concat();
            let Some((column, _)) = HEADERS.iter().find(|(_, headers)| headers.contains(&folded.as_str())) else {
                continue;
            };
            if known.iter().any(|(other, _)| other == column) {
                return Err(FileError::RepeatedColumn(name.clone()));
            }
            known.push((*column, index));
        }
        let has = |column: Column| known.iter().any(|(known, _)| *known == column);
        let mut missing: Vec<Column> =
            [Column::Family, Column::Given].into_iter().filter(|column| !has(*column)).collect();
        if !has(Column::Email) && !has(Column::Login) {
            missing.push(Column::Email);
        }
        if missing.is_empty() { Ok(Self { names, known }) } else { Err(FileError::MissingColumns(missing)) }
    }

    fn unknown(&self) -> Vec<String> {
        let named = self.names.iter().enumerate().filter(|(_, name)| !name.is_empty());
        named
            .filter(|(index, _)| !self.known.iter().any(|(_, known)| known == index))
            .map(|(_, name)| name.clone())
            .collect()
    }

    fn find(&self, column: Column) -> Option<usize> {
        self.known.iter().find(|(known, _)| *known == column).map(|(_, index)| *index)
    }
}

/// One row while it is read.
struct Reading<'a> {
    header: &'a Header,
    record: &'a csv::StringRecord,
    problems: Vec<(Option<String>, Wrong)>,
}

impl Reading<'_> {
    fn row(&mut self, line: u64, first_lines: &mut HashMap<String, u64>) -> Option<Row> {
        if self.record.iter().skip(self.header.names.len()).any(|cell| !cell.trim().is_empty()) {
            self.problems.push((None, Wrong::ExtraCells));
        }
        for (index, cell) in self.record.iter().enumerate().take(self.header.names.len()) {
            let column = self.header.known.iter().find(|(_, known)| *known == index).map(|(column, _)| *column);
            let most = match column {
                Some(Column::Products | Column::Rights) => MAX_LIST_CHARACTERS,
                _ => MAX_CELL_CHARACTERS,
            };
            if cell.chars().count() > most {
                self.problems.push((Some(self.header.names[index].clone()), Wrong::TooLong));
            }
        }
        if !self.problems.is_empty() {
            return None;
        }
        let family = self.needed(Column::Family, Wrong::Name, Name::parse);
        let given = self.needed(Column::Given, Wrong::Name, Name::parse);
        let email = self.optional(Column::Email, Wrong::Email, Email::parse);
        let login = self.optional(Column::Login, Wrong::Login, parse_login);
        if let (Some(login), Some(email)) = (&login, &email)
            && !email.may_have_login(&login.to_lowercase())
        {
            self.wrong(Column::Login, Wrong::LoginAddress);
        }
        let role = self.optional(Column::Role, Wrong::Role, parse_role).unwrap_or(Role::Member);
        let affiliation = self.optional(Column::Affiliation, Wrong::Affiliation, parse_affiliation);
        let affiliation = affiliation.unwrap_or(Affiliation::Employee);
        let mandate = self.optional(Column::Mandate, Wrong::Mandate, parse_mandate);
        let ends_on = self.optional(Column::EndsOn, Wrong::Date, parse_date);
        let phone = self.optional(Column::Phone, Wrong::Phone, parse_phone);
        let products = self.optional(Column::Products, Wrong::Products, parse_products).unwrap_or_default();
        let rights = self.optional(Column::Rights, Wrong::Rights, parse_rights).unwrap_or_default();
        let birthdate = self.optional(Column::Birthdate, Wrong::Date, parse_date);
        if self.cell(Column::Email).is_none() && self.cell(Column::Login).is_none() {
            let column = if self.header.find(Column::Email).is_some() { Column::Email } else { Column::Login };
            self.wrong(column, Wrong::Missing);
        }
        if affiliation == Affiliation::External && self.cell(Column::EndsOn).is_none() {
            self.wrong(Column::EndsOn, Wrong::EndMissing);
        }
        let identity = login.as_deref().or(email.as_ref().map(Email::as_str)).map(str::to_lowercase);
        if let Some(identity) = identity {
            let first_line = *first_lines.entry(identity).or_insert(line);
            if first_line != line {
                let column = if login.is_some() { Column::Login } else { Column::Email };
                self.wrong(column, Wrong::Duplicate { first_line });
            }
        }
        Some(Row {
            line,
            family: family?,
            given: given?,
            email,
            login,
            role,
            affiliation,
            mandate,
            ends_on,
            phone,
            birthdate,
            products,
            rights,
        })
    }

    /// The cell of a column, trimmed, without the apostrophe that keeps a spreadsheet from calculating it; none when empty.
    fn cell(&self, column: Column) -> Option<&str> {
        let cell = self.record.get(self.header.find(column)?)?;
        let cell = cell.trim();
        let cell = cell.strip_prefix('\'').filter(|rest| csv_out::begins_formula(rest)).unwrap_or(cell);
        (!cell.is_empty()).then_some(cell)
    }

    fn wrong(&mut self, column: Column, wrong: Wrong) {
        let name = self.header.find(column).and_then(|index| self.header.names.get(index));
        self.problems.push((name.cloned(), wrong));
    }

    fn optional<T>(&mut self, column: Column, wrong: Wrong, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let parsed = parse(self.cell(column)?);
        if parsed.is_none() {
            self.wrong(column, wrong);
        }
        parsed
    }

    fn needed<T>(&mut self, column: Column, wrong: Wrong, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        if self.cell(column).is_none() {
            self.wrong(column, Wrong::Missing);
        }
        self.optional(column, wrong, parse)
    }
}

fn parse_login(cell: &str) -> Option<String> {
    let good =
        cell.chars().count() <= MAX_LOGIN_CHARACTERS && !cell.contains(|c: char| c.is_whitespace() || c.is_control());
    good.then(|| cell.to_owned())
}

fn parse_role(cell: &str) -> Option<Role> {
    match search::words(cell).concat().as_str() {
        "membre" | "member" | "utilisateur" | "utilisatrice" | "user" => Some(Role::Member),
        "administrateur" | "administratrice" | "admin" | "administrator" => Some(Role::Administrator),
        _ => None,
    }
}

fn parse_affiliation(cell: &str) -> Option<Affiliation> {
    match search::words(cell).concat().as_str() {
        "salarie" | "salariee" | "interne" | "employe" | "employee" | "internal" => Some(Affiliation::Employee),
        "externe" | "external" | "prestataire" | "exterieur" => Some(Affiliation::External),
        _ => None,
    }
}

fn parse_mandate(cell: &str) -> Option<Mandate> {
    match search::words(cell).concat().as_str() {
        "representantlegal" | "representantelegale" | "legalrepresentative" => Some(Mandate::LegalRepresentative),
        "delegation" | "delegataire" => Some(Mandate::Delegation),
        "invitation" => Some(Mandate::Invitation),
        "aucun" | "none" => Some(Mandate::None),
        _ => None,
    }
}

/// `31/12/2026`, `31-12-2026`, `31.12.2026` or `2026-12-31`; never the American order.
fn parse_date(cell: &str) -> Option<Date> {
    let parts: Vec<&str> = cell.split(['/', '-', '.']).map(str::trim).collect();
    let [first, month, last] = parts.as_slice() else { return None };
    let (year, day) = if first.len() == 4 { (first, last) } else { (last, first) };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if year.len() != 4 || !(1..=2).contains(&month.len()) || !(1..=2).contains(&day.len()) {
        return None;
    }
    if ![year, month, day].into_iter().all(|part| digits(part)) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// In E.164. A spreadsheet that took a French number for a quantity has left out its zero.
fn parse_phone(cell: &str) -> Option<String> {
    let lost = cell.len() == 9 && cell.bytes().all(|byte| byte.is_ascii_digit()) && !cell.starts_with('0');
    if lost { attributes::phone(&format!("0{cell}")) } else { attributes::phone(cell) }
}

/// What stands between commas, semicolons, vertical bars or line breaks, each once.
fn list(cell: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for item in cell.split([',', ';', '|', '\n']).map(str::trim).filter(|item| !item.is_empty()) {
        if !items.iter().any(|known| known == item) {
            items.push(item.to_owned());
        }
    }
    items
}

fn parse_products(cell: &str) -> Option<Vec<String>> {
    let products = list(cell);
    (1..=MAX_PRODUCTS).contains(&products.len()).then_some(products)
}

fn parse_rights(cell: &str) -> Option<Vec<String>> {
    let rights = list(cell);
    let whole =
        |right: &String| right.split_once(':').is_some_and(|(portal, role)| !portal.is_empty() && !role.is_empty());
    ((1..=MAX_RIGHTS).contains(&rights.len()) && rights.iter().all(whole)).then_some(rights)
}

/// A right in a portal as a cell says it: `portal:role`. What would be taken for the end of either is written as in addresses, `%2C` for a
/// comma.
pub fn right(portal: &str, role: &str) -> String {
    let mut text = String::with_capacity(portal.len() + 1 + role.len());
    for (part, colon) in [(portal, "%3A"), (role, ":")] {
        if !text.is_empty() {
            text.push(':');
        }
        for character in part.chars() {
            match character {
                '%' => text.push_str("%25"),
                ',' => text.push_str("%2C"),
                ';' => text.push_str("%3B"),
                '|' => text.push_str("%7C"),
                ':' => text.push_str(colon),
                other => text.push(other),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::csv_out::Sheet;

    fn codes(preview: &Preview) -> Vec<(u64, Option<&str>, &'static str)> {
        let problems = preview.problems.iter();
        problems.map(|problem| (problem.line, problem.column.as_deref(), problem.wrong.code())).collect()
    }

    #[test]
    fn a_mandate_is_read_as_our_tables_write_it() {
        for mandate in Mandate::ALL {
            assert_eq!(parse_mandate(mandate.cell()), Some(mandate));
            assert_eq!(Mandate::of(Some(mandate.name())), mandate);
        }
        assert_eq!((Mandate::of(None), parse_mandate("roi")), (Mandate::None, None));
    }

    #[test]
    fn a_french_spreadsheet_is_read() {
        let text = "\u{feff}NOM;Prénom;Adresse e-mail;Rôle;Affiliation;Date de fin;Téléphone;Né(e) le;Couleur\r\n\
            Lefèvre;Zoé;zoe@exemple.fr;Administratrice;salariée;;06 12 34 56 78;16/10/1987;bleu\r\n\
            \"Le\nGall\";\"Yann\";yann@exemple.fr;;Externe;31/12/2026;+33 (0)6-12.34.56 78;;\r\n\
            ;;;;;;;;\r\n";
        let preview = read(text.as_bytes()).unwrap();
        assert_eq!((preview.encoding, preview.separator), (Encoding::Utf8, ';'));
        assert_eq!(preview.unknown_columns, ["Couleur"]);
        assert_eq!(preview.columns.len(), 8);
        assert_eq!(codes(&preview), []);
        assert_eq!(preview.rows.len(), 2);
        let [zoe, yann] = &preview.rows[..] else { unreachable!() };
        assert_eq!((zoe.line, zoe.role, zoe.phone.as_deref()), (2, Role::Administrator, Some("+33612345678")));
        assert_eq!(zoe.birthdate, Some(jiff::civil::date(1987, 10, 16)));
        assert_eq!((yann.phone.as_deref(), yann.birthdate), (Some("+33612345678"), None));
        assert_eq!((yann.family.as_str(), yann.affiliation), ("Le Gall", Affiliation::External));
        assert_eq!(yann.ends_on, Some(jiff::civil::date(2026, 12, 31)));

        let (latin, ..) = encoding_rs::WINDOWS_1252.encode("Prénom;Nom;Courriel\nÉlodie;Œuvrard;e@exemple.fr\n");
        let preview = read(&latin).unwrap();
        assert_eq!(preview.encoding, Encoding::Windows1252);
        assert_eq!((preview.rows[0].family.as_str(), preview.rows[0].given.as_str()), ("Œuvrard", "Élodie"));

        let mut utf16 = vec![0xFF, 0xFE];
        utf16.extend("Nom\tPrénom\tMail\nA\tB\ta@b.fr".encode_utf16().flat_map(u16::to_le_bytes));
        let preview = read(&utf16).unwrap();
        assert_eq!((preview.encoding, preview.separator, preview.rows.len()), (Encoding::Utf16, '\t', 1));
    }

    #[test]
    fn headers_come_in_any_order_and_two_languages() {
        for (header, separator) in [
            ("Last name,First name,E-mail", ','),
            ("prenom;NOM;courriel", ';'),
            ("Login;Nom de famille;Prénoms", ';'),
            ("\"Nom, d'usage\";Prénom;Mél;\"a,b,c,d,e\"", ';'),
            ("sep=,\nNom,Prénom,Mail", ','),
            ("surname\tgiven_name\tusername", '\t'),
        ] {
            let preview = read(header.as_bytes()).unwrap();
            assert_eq!(preview.separator, separator, "{header}");
            assert_eq!(preview.columns.len(), 3, "{header}");
        }
    }

    #[test]
    fn every_problem_has_its_line_its_column_and_a_code() {
        let long = "x".repeat(MAX_CELL_CHARACTERS + 1);
        let text = format!(
            "Nom;Prénom;Courriel;Identifiant;Rôle;Affiliation;Fin;Tél\n\
             ;Zoé;zoe@exemple.fr;;;;;\n\
             Martin;<b>;zoe;a b;chef;ami;12/31/2026;abc\n\
             Martin;Zoé;;;;;;\n\
             Martin;Zoé;z@exemple.fr;;;externe;;\n\
             Martin;Zoé;z@exemple.fr;;;;;;;9\n\
             Martin;{long};z@exemple.fr;;;;;\n\
             Martin;Zoé;y@exemple.fr;;;;;\n\
             Martin;Zoé;Y@exemple.fr;;;;;\n\
             Martin;Zoé;y@exemple.fr;autre;;;;\n\
             Martin;Zoé;x@exemple.fr;Chef@ailleurs.fr;;;;\n\
             Martin;Zoé;W@exemple.fr;w@Exemple.fr;;;;\n"
        );
        let preview = read(text.as_bytes()).unwrap();
        assert_eq!(
            codes(&preview),
            [
                (2, Some("Nom"), "missing"),
                (3, Some("Prénom"), "name"),
                (3, Some("Courriel"), "email"),
                (3, Some("Identifiant"), "login"),
                (3, Some("Rôle"), "role"),
                (3, Some("Affiliation"), "affiliation"),
                (3, Some("Fin"), "date"),
                (3, Some("Tél"), "phone"),
                (4, Some("Courriel"), "missing"),
                (5, Some("Fin"), "end_missing"),
                (6, None, "extra_cells"),
                (7, Some("Prénom"), "too_long"),
                (9, Some("Courriel"), "duplicate"),
                (11, Some("Identifiant"), "login_address"),
            ]
        );
        assert_eq!(preview.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [8, 10, 12]);
        assert_eq!((preview.bad_rows, preview.problem_count), (8, 14));
        assert_eq!(preview.problems[12].wrong, Wrong::Duplicate { first_line: 8 });
    }

    #[test]
    fn files_as_a_whole_are_refused() {
        let wide = vec!["x"; MAX_COLUMNS + 1].join(";");
        let long = format!("nom;prénom;mail\n{}", "a;b;c\n".repeat(MAX_ROWS + 1));
        for (file, code) in [
            (b"".as_slice(), "empty"),
            (b"\n\n", "empty"),
            (b";;\n", "empty"),
            (b"PK\x03\x04\x00\x00", "not_text"),
            (b"\xFF\xFE\x00\xD8", "not_text"),
            (b"nom;mail\n", "missing_columns"),
            ("nom;prénom\n".as_bytes(), "missing_columns"),
            ("nom;prénom;mail;e-mail\n".as_bytes(), "repeated_column"),
            (wide.as_bytes(), "too_many_columns"),
            (long.as_bytes(), "too_many_rows"),
            (&vec![b'a'; MAX_BYTES + 1], "too_large"),
        ] {
            assert_eq!(read(file).unwrap_err().code(), code);
        }
    }

    #[test]
    fn days_and_numbers() {
        for (cell, expected) in [
            ("31/12/2026", Some((2026, 12, 31))),
            ("1/2/2026", Some((2026, 2, 1))),
            ("2026-02-01", Some((2026, 2, 1))),
            ("01.02.2026", Some((2026, 2, 1))),
            ("30/02/2026", None),
            ("12/31/2026", None),
            ("1/2/26", None),
            ("+1/2/2026", None),
            ("demain", None),
        ] {
            let expected = expected.map(|(year, month, day)| jiff::civil::date(year, month, day));
            assert_eq!(parse_date(cell), expected, "{cell}");
        }
        for (cell, expected) in [
            ("06 12 34 56 78", Some("+33612345678")),
            ("612345678", Some("+33612345678")),
            ("+33612345678", Some("+33612345678")),
            ("12", None),
            ("12345678", None),
            ("06+12345678", None),
        ] {
            assert_eq!(parse_phone(cell).as_deref(), expected, "{cell}");
        }
    }

    #[test]
    fn products_are_a_list_in_a_cell() {
        for (cell, expected) in [
            ("cours", Some(&["cours"][..])),
            (" cours , atelier|cours;; examen ", Some(&["cours", "atelier", "examen"])),
            (", ;", None),
        ] {
            let expected = expected.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(parse_products(cell), expected);
        }
        let many: Vec<_> = (0..=MAX_PRODUCTS).map(|number| number.to_string()).collect();
        assert_eq!(parse_products(&many.join(",")), None);
        let preview = read("Nom;Prénom;Mail;Produits\nA;B;a@b.fr;\"x;y\"\nC;D;c@d.fr;\n".as_bytes()).unwrap();
        assert_eq!(preview.rows[0].products, ["x", "y"]);
        assert!(preview.rows[1].products.is_empty());
    }

    #[test]
    fn rights_are_a_list_in_a_cell() {
        for (cell, expected) in [
            ("portail:apprenant", Some(&["portail:apprenant"][..])),
            ("a:x, b:y|a:x;;c:z:1", Some(&["a:x", "b:y", "c:z:1"])),
            ("portail", None),
            ("portail:, b:y", None),
            (":apprenant", None),
            (", ;", None),
        ] {
            let expected = expected.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(parse_rights(cell), expected, "{cell}");
        }
        let many: Vec<_> = (0..=MAX_RIGHTS).map(|number| format!("a:{number}")).collect();
        assert_eq!(parse_rights(&many.join(",")), None);
        for (portal, role, text) in [
            ("portail", "apprenant", "portail:apprenant"),
            ("https://p.example/a", "x:y", "https%3A//p.example/a:x:y"),
            ("a,b", "c;d|e%", "a%2Cb:c%3Bd%7Ce%25"),
        ] {
            assert_eq!(right(portal, role), text);
            assert_eq!(parse_rights(&right(portal, role)), Some(vec![text.to_owned()]));
        }
        // A cell of many rights is longer than others may be.
        let long = (0..90).map(|number| format!("portail-de-formation:role-{number}")).collect::<Vec<_>>().join(", ");
        let preview = read(format!("Nom;Prénom;Mail;Droits\nA;B;a@b.fr;{long}\nC;D;c@d.fr;x\n").as_bytes()).unwrap();
        assert_eq!(preview.rows[0].rights.len(), 90);
        assert_eq!(codes(&preview), [(3, Some("Droits"), "rights")]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_bytes_are_read_or_refused(file in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&file);
            let mut with_header = b"nom;prenom;mail;fin;tel;role\n".to_vec();
            with_header.extend(file);
            let _ = read(&with_header);
        }

        #[test]
        fn what_we_write_is_read_again(
            people in prop::collection::vec(
                ("[A-Za-zÀ-Öà-ö][A-Za-zÀ-Öà-ö '’\";,-]{0,20}", "[A-Za-zÀ-Öà-ö]{1,20}", "[=+@a-z-]{0,3}[a-z]{1,8}"), 0..20,
            ),
        ) {
            let mut sheet = Sheet::new(["Nom", "Prénom", "Identifiant"]);
            for (number, (family, given, login)) in people.iter().enumerate() {
                sheet.row([family.as_str(), given, &format!("{login}{number}")]);
            }
            let preview = read(&sheet.finish()).unwrap();
            prop_assert_eq!(&preview.problems, &[]);
            prop_assert_eq!(preview.rows.len(), people.len());
            for ((number, (family, given, login)), row) in people.iter().enumerate().zip(&preview.rows) {
                prop_assert_eq!(row.family.as_str(), family.split_whitespace().collect::<Vec<_>>().join(" "));
                prop_assert_eq!(row.given.as_str(), given);
                let login = format!("{login}{number}");
                prop_assert_eq!(row.login.as_deref(), Some(login.as_str()));
            }
        }
    }
}
