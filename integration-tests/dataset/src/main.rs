//! Makes a database as large as a customer's, and measures how lists and searches do in it.
//!
//! People with plausible French names, in organizations of very unequal size: the first has a tenth of all people, most have
//! three members. The same numbers give the same people. Measured are the functions that the management API calls, in this
//! process: what HTTP and tokens cost beside them is another program's figure.
//!
//! ```text
//! cargo run --release -p habilis-dataset -- fill --url sqlite:///var/tmp/small.db --people 1000 --organizations 1
//! cargo run --release -p habilis-dataset -- fill --url sqlite:///var/tmp/large.db --people 1000000 --organizations 10000
//! cargo run --release -p habilis-dataset -- measure --url sqlite:///var/tmp/large.db --baseline sqlite:///var/tmp/small.db
//! cargo run --release -p habilis-dataset -- passwords --url sqlite:///var/tmp/large.db --until 2027-03-01
//! cargo run --release -p habilis-dataset -- age --url sqlite:///var/tmp/large.db --days 1
//! ```
//!
//! `passwords` gives everybody a password that was chosen on one of the 396 days until a day, evenly, so that of reminders and suspensions
//! there are as many as on any day; `age` lets days pass for them. What is measured then is `habilis jobs run`.
//!
//! It writes into tables itself, the one program beside the server that does: a million people invited one by one, each in a
//! transaction with its audit line, would take hours, and what is measured is reading. Words, sort keys and their form are those
//! of the server, because they come from the same functions; `measure` begins by asking the server's own functions for people
//! it knows, so that a difference does not stay unnoticed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that reports to a person")]
#![expect(clippy::expect_used, reason = "a measurement that cannot go on stops")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use habilis::db::cursor::{Cursor, Order};
use habilis::db::members_list::{self, MemberFilter};
use habilis::db::people_list::{self, PersonFilter};
use habilis::db::{Conn as _, Db, Raw, Reader, organizations, people};
use habilis_policies::calendar;
use habilis_policies::search::{self, Found};
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::{AssertSqlSafe, Executor as _};

const USAGE: &str = "dataset fill --url URL [--people 1000000] [--organizations 10000] [--clean]
dataset measure --url URL --baseline URL [--requests 2000] [--limit 50]
dataset passwords --url URL --until DATE
dataset age --url URL [--days 1]
dataset clean --url URL

    --url URL            sqlite://FILE or postgres://…, made when absent (SQLite) or empty (PostgreSQL)
    --baseline URL       the small database it is compared with, in the same run";

const GIVEN: &str = "Marie Jean Pierre Michel André Philippe Alain Nathalie Isabelle Sylvie Catherine Françoise Jacques Bernard \
    Martine Christine Monique Nicolas Christophe Valérie Sandrine Stéphane Sophie Thomas Julien Céline Véronique Patrick \
    Daniel Laurent Frédéric Éric Sébastien Julie Camille Léa Manon Chloé Emma Inès Jade Louise Alice Zoé Lina Rose Anna Mila \
    Ambre Julia Lou Agathe Jeanne Romane Éva Juliette Inaya Clémence Sarah Nina Louis Gabriel Raphaël Arthur Jules Adam Lucas \
    Léo Hugo Paul Nathan Maël Ethan Noé Sacha Tom Noah Aaron Mohamed Théo Liam Gabin Rayan Eden Marius Victor Mathis Axel \
    Robin Antoine Enzo Clément Baptiste Simon Martin Valentin Gaspard Augustin Maxime Alexandre Samuel Eliott Yanis Amine \
    Karim Nadia Fatima Aïcha Samira Rachid Mehdi Sofiane Leïla Yasmine Salomé Maëlys Anaïs Loïc Benoît Jérôme Rémi Grégory \
    Cédric Ludovic Fabrice Hervé Yann Ronan Gwenaëlle Maëva Solène Océane Élodie Émilie Aurélie Mélanie Amélie Hélène \
    Geneviève Thérèse Odile Colette Ginette Yvette Noémie Bérénice Cécile Lætitia Mireille Brigitte Chantal Dominique \
    Jean-Pierre Jean-Claude Jean-Marc Jean-Luc Jean-Paul Jean-François Jean-Baptiste Marie-Claude Marie-Christine \
    Marie-Thérèse Marie-Laure Anne-Marie Anne-Sophie Anne-Laure Pierre-Yves Pierre-Louis Paul-Henri Charles-Édouard Kévin \
    Jordan Dylan Bryan Steven Jessica Jennifer Vanessa Cindy Mélissa Aminata Fatoumata Mamadou Ousmane Moussa Ibrahima \
    Abdoulaye Khadija Youssef Bilal Hamza Imane Siham Zineb Thi Linh Minh Van Xavier Tristan Quentin Corentin Erwan Maëlle \
    Enora Titouan Tanguy Côme Anatole Achille Ulysse Apolline Philippine Capucine Garance Sixtine Héloïse Eugénie Léonie";
const FAMILY: &str = "Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel Lefèvre Leroy Roux \
    David Bertrand Morel Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Vincent Muller Lefebvre Faure André Mercier \
    Blanc Guérin Boyer Garnier Chevalier François Legrand Gauthier Garcia Perrin Robin Clément Morin Nicolas Henry Roussel \
    Mathieu Gautier Masson Marchand Duval Denis Dumont Marie Lemaire Noël Meyer Dufour Meunier Brun Blanchard Giraud Joly \
    Rivière Lucas Brunet Gaillard Barbier Arnaud Martinez Gérard Roche Renard Schmitt Roy Leroux Colin Vidal Caron Picard \
    Roger Fabre Aubert Lemoine Renaud Dumas Lacroix Olivier Philippe Bourgeois Pierre Benoît Rey Leclerc Payet Rolland \
    Leclercq Guillaume Lecomte Lopez Jean Dupuy Guillot Hubert Berger Carpentier Sanchez Dupuis Moulin Louis Deschamps Huet \
    Vasseur Perez Boucher Fleury Royer Klein Jacquet Adam Paris Poirier Marty Aubry Guyot Carré Charles Renault Charpentier \
    Ménard Maillard Baron Bertin Bailly Hervé Schneider Fernandez Collet Léger Bouvier Julien Prévost Millet Perrot Daniel \
    Cousin Germain Breton Besson Langlois Rémy Pelletier Lévêque Perrier Leblanc Barré Lebrun Marchal Weber Mallet Hamon \
    Boulanger Jacob Monnier Michaud Rodriguez Guichard Gillet Étienne Grondin Poulain Tessier Chevallier Collin Chauvin Bouchet \
    Gay Lemaître Bénard Maréchal Humbert Reynaud Antoine Hoarau Perret Barthélemy Cordier Pichon Lejeune Gilbert Lamy Delaunay \
    Pasquier Carlier Laporte Diallo Traoré Coulibaly Cissé N’Diaye Sow Ba Camara Konaté Benali Bouzid Cherif Haddad Mansouri \
    Nguyen Tran Pham Le Da\u{a0}Silva Pereira Ferreira Rodrigues Gonçalves Fernandes D’Angelo D’Almeida L’Hermite Le\u{a0}Gall \
    Le\u{a0}Goff Le\u{a0}Roux Le\u{a0}Guen Le\u{a0}Bihan De\u{a0}Oliveira De\u{a0}Sousa De\u{a0}La\u{a0}Tour Du\u{a0}Pont \
    De\u{a0}Villiers D’Aubigné Œuvrard Kœnig Côté Bœuf Strauß Kowalski Nowak Wójcik Łukasik Horvát Åström Øster Bjørnsen";
const KINDS: [&str; 4] = ["company", "training_body", "cfa", "partner"];
const PLACES: &str =
    "Lyon Paris Nantes Brest Lille Orléans Nîmes Béziers Évry Épinal Angoulême Besançon Mâcon Nevers Sète Ajaccio";
/// The portal in which members have rights.
const PORTAL: &str = "dataset-portal";
/// Rows of one statement into `SQLite`, bytes of one piece of a COPY into `PostgreSQL`.
const ROWS_AT_ONCE: usize = 400;
const BYTES_AT_ONCE: usize = 1 << 20;
/// What is written, in an order in which references hold.
const TABLES: [&str; 8] = [
    "clients",
    "organizations",
    "organization_words",
    "people",
    "memberships",
    "rights",
    "person_words",
    "member_words",
];

/// A message for the person who started this.
type Failure = String;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().ok_or(USAGE)?;
    let (mut values, mut clean_first) = (BTreeMap::new(), false);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--clean" => clean_first = true,
            "--url" | "--baseline" | "--people" | "--organizations" | "--requests" | "--limit" | "--until"
            | "--days" => {
                let value = arguments.next().ok_or_else(|| format!("{name} needs a value\n{USAGE}"))?;
                values.insert(name, value);
            }
            _ => return Err(format!("unknown option {name}\n{USAGE}")),
        }
    }
    let number = |name: &str, default: usize, most: usize| match values.get(name).map(|text| text.parse()) {
        None => Ok(default),
        Some(Ok(number)) if (1..=most).contains(&number) => Ok(number),
        Some(_) => Err(format!("{name} is a number from 1 to {most}")),
    };
    let url = values.get("--url").ok_or(USAGE)?;
    let db = open(url).await?;
    match command.as_str() {
        "fill" => {
            if clean_first {
                clean(&db).await?;
            }
            let set =
                Dataset::make(number("--people", 1_000_000, 2_000_000)?, number("--organizations", 10_000, 100_000)?);
            fill(&db, &set).await?;
        }
        "clean" => clean(&db).await?,
        "passwords" => {
            let until = values.get("--until").ok_or(USAGE)?;
            give_passwords(&db, until.parse().map_err(|error| format!("--until is a day: {error}"))?).await?;
        }
        "age" => age(&db, number("--days", 1, 400)?).await?,
        "measure" => {
            let baseline = open(values.get("--baseline").ok_or(USAGE)?).await?;
            let limit = u32::try_from(number("--limit", 50, 200)?).expect("at most 200");
            measure(&db, &baseline, number("--requests", 2_000, 1_000_000)?, limit).await?;
            baseline.close().await;
        }
        _ => return Err(USAGE.to_owned()),
    }
    db.close().await;
    Ok(())
}

async fn open(url: &str) -> Result<Db, Failure> {
    let db = Db::open(url, 4).await.map_err(|error| error.to_string())?;
    db.migrate(Timestamp::UNIX_EPOCH).await.map_err(|error| error.to_string())?;
    Ok(db)
}

/// A source of numbers that are the same each time (`SplitMix64`, public domain): nothing here is secret.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("below a usize")
    }

    /// One of `all`, the first ones more often, as names are borne.
    fn name<'a>(&mut self, all: &[&'a str]) -> &'a str {
        // The product of two numbers lies more often near the beginning.
        let (a, b) = (self.below(all.len()), self.below(all.len()));
        all[a * b / all.len()]
    }
}

struct Person {
    id: String,
    family: String,
    given: String,
    login: String,
    email: String,
    status: &'static str,
    created_at: i64,
    key: Vec<u8>,
    /// Each with what it shares with the one before.
    words: Vec<(String, i64)>,
    organizations: Vec<usize>,
}

struct Organization {
    id: String,
    kind: &'static str,
    name: String,
    siret: String,
}

/// The words of a person and their pairs, sorted, as the server keeps them.
fn indexed_words(found: &Found<'_>) -> Vec<(String, i64)> {
    let mut words = search::words_of_person(found);
    words.append(&mut search::pairs(&words));
    let shared = |shared| i64::try_from(shared).expect("few");
    search::with_shared(&words).into_iter().map(|(word, count)| (word.to_owned(), shared(count))).collect()
}

/// Everything that is written.
struct Dataset {
    people: Vec<Person>,
    organizations: Vec<Organization>,
}

impl Dataset {
    fn make(people: usize, organizations: usize) -> Self {
        let began = Instant::now();
        let mut numbers = Numbers(20_261_124);
        let split = |list: &'static str| -> Vec<&'static str> {
            list.split([' ', '\n']).filter(|name| !name.is_empty()).collect()
        };
        let (given, family, places) = (split(GIVEN), split(FAMILY), split(PLACES));
        let organizations: Vec<_> = (0..organizations)
            .map(|index| Organization {
                id: format!("org_set{index:023}"),
                kind: KINDS[numbers.below(KINDS.len())],
                name: format!(
                    "{} {} {}",
                    ["Institut", "CFA", "École", "Ateliers", "Société"][numbers.below(5)],
                    numbers.name(&family),
                    numbers.name(&places)
                ),
                siret: format!("{:014}", 10_000_000_000_000_u64 + index as u64 * 7919),
            })
            .collect();
        // The size of the organization of rank r: a tenth of all divided by r, three at least.
        let first = if organizations.len() < 10 { people / organizations.len() } else { people / 10 };
        let mut places: Vec<usize> = Vec::with_capacity(people * 11 / 10);
        for index in 0..organizations.len() {
            let size = if organizations.len() < 10 { first } else { (first / (index + 1)).max(3) };
            places.extend(std::iter::repeat_n(index, size));
        }
        // Shuffled, so that neighbours in a list were not made one after the other.
        for index in (1..places.len()).rev() {
            let other = numbers.below(index + 1);
            places.swap(index, other);
        }
        let mut places = places.into_iter();
        let people = (0..people)
            .map(|index| {
                let given = numbers.name(&given).to_owned();
                let family = match numbers.below(20) {
                    0 => format!("{}-{}", numbers.name(&family), numbers.name(&family)),
                    _ => numbers.name(&family).replace('\u{a0}', " "),
                };
                let plain = search::words(&format!("{given} {family}")).join(".");
                let login = format!("{plain}{index}");
                let email =
                    format!("{login}@{}", ["exemple.fr", "apprenant.example", "entreprise.example"][numbers.below(3)]);
                let found = Found { family: &family, given: &given, login: &login, email: Some(&email) };
                let mut organizations: Vec<usize> = places.next().into_iter().collect();
                // What is left over when everybody has a place: some belong to two.
                if numbers.below(50) == 0
                    && let Some(second) = places.next()
                    && !organizations.contains(&second)
                {
                    organizations.push(second);
                }
                Person {
                    id: format!("usr_set{index:023}"),
                    key: search::sort_key(&family, &given),
                    words: indexed_words(&found),
                    status: if numbers.below(40) == 0 { "pending" } else { "active" },
                    created_at: 1_700_000_000_000 + i64::try_from(index).expect("few") * 10_000,
                    family,
                    given,
                    login,
                    email,
                    organizations,
                }
            })
            .collect();
        println!("made in {:.1} s", began.elapsed().as_secs_f64());
        Self { people, organizations }
    }

    /// Member words in the order of their key, which both engines write fastest.
    fn member_words(&self) -> Vec<(u32, u32, u32)> {
        let mut words: Vec<&str> =
            self.people.iter().flat_map(|person| &person.words).map(|(word, _)| word.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        let rank: HashMap<&str, u32> = words.iter().zip(0..).map(|(word, rank)| (*word, rank)).collect();
        let mut by_key: Vec<u32> = (0..u32::try_from(self.people.len()).expect("few")).collect();
        by_key.sort_unstable_by(|a, b| {
            let (a, b) = (&self.people[*a as usize], &self.people[*b as usize]);
            (&a.key, &a.id).cmp(&(&b.key, &b.id))
        });
        let mut rows = Vec::new();
        for index in &by_key {
            for organization in &self.people[*index as usize].organizations {
                for (word, _) in &self.people[*index as usize].words {
                    rows.push((u32::try_from(*organization).expect("few"), rank[word.as_str()], *index));
                }
            }
        }
        // Stable: within a word the order of the keys stays.
        rows.sort_by_key(|(organization, word, _)| (*organization, *word));
        rows.into_iter()
            .map(|(organization, word, person)| {
                let position =
                    self.people[person as usize].words.iter().position(|(own, _)| own == words[word as usize]);
                (organization, u32::try_from(position.expect("its own word")).expect("few"), person)
            })
            .collect()
    }
}

/// A value of a row, for either engine.
enum Value<'a> {
    Null,
    Text(&'a str),
    Bytes(&'a [u8]),
    Number(i64),
    Bool(bool),
}

use Value::{Bool, Bytes, Null, Number, Text};

async fn fill(db: &Db, set: &Dataset) -> Result<(), Failure> {
    if people::count(&mut reader(db).await?).await.map_err(told)? > 0 {
        return Err("there are people in this database already; --clean takes away those of an earlier run".to_owned());
    }
    let began = Instant::now();
    let indexes = drop_indexes(db).await?;
    fill_organizations(db, set).await?;
    fill_people(db, set).await?;
    fill_members(db, set).await?;
    fill_words(db, set).await?;
    for text in indexes {
        execute(db, &text).await?;
    }
    println!("indexes built after {:.1} s", began.elapsed().as_secs_f64());
    match reader(db).await?.raw() {
        Raw::Sqlite(_) => execute(db, "ANALYZE").await?,
        Raw::Postgres(c) => {
            c.execute("VACUUM ANALYZE").await.map_err(told)?;
        }
    }
    println!(
        "{} people in {} organizations: {:.1} s, {:.2} GB",
        set.people.len(),
        set.organizations.len(),
        began.elapsed().as_secs_f64(),
        size_gb(db).await?
    );
    Ok(())
}

async fn fill_organizations(db: &Db, set: &Dataset) -> Result<(), Failure> {
    let now = 1_750_000_000_000;
    write(
        db,
        "clients",
        &["id", "metadata", "settings", "status", "created_at", "updated_at"],
        (std::iter::once(PORTAL), |portal| {
            vec![vec![Text(portal), Text("{}"), Text("{}"), Text("active"), Number(0), Number(0)]]
        }),
    )
    .await?;
    let keys: Vec<Vec<u8>> = set.organizations.iter().map(|one| search::sort_key(&one.name, "")).collect();
    let columns =
        ["id", "kind", "name", "siret", "siren", "status", "created_at", "updated_at", "indexed_at", "sort_key"];
    write(
        db,
        "organizations",
        &columns,
        (set.organizations.iter().zip(&keys), |(one, key)| {
            vec![vec![
                Text(&one.id),
                Text(one.kind),
                Text(&one.name),
                Text(&one.siret),
                Text(&one.siret[..9]),
                Text("active"),
                Number(now),
                Number(now),
                Number(now),
                Bytes(key),
            ]]
        }),
    )
    .await?;
    let words: Vec<(&str, &[u8], String)> = set
        .organizations
        .iter()
        .zip(&keys)
        .flat_map(|(one, key)| {
            let words = search::words_of_organization(&one.name, [one.siret.as_str(), &one.siret[..9]]);
            words.into_iter().map(|word| (one.id.as_str(), key.as_slice(), word))
        })
        .collect();
    write(
        db,
        "organization_words",
        &["organization_id", "word", "sort_key"],
        (words.iter(), |(id, key, word)| vec![vec![Text(id), Bytes(word.as_bytes()), Bytes(key)]]),
    )
    .await
}

async fn fill_people(db: &Db, set: &Dataset) -> Result<(), Failure> {
    let columns = [
        "id",
        "login",
        "email",
        "email_verified",
        "given_name",
        "family_name",
        "locale",
        "claims",
        "status",
        "operator",
        "created_at",
        "updated_at",
        "indexed_at",
        "sort_key",
    ];
    write(
        db,
        "people",
        &columns,
        (set.people.iter(), |one| {
            vec![vec![
                Text(&one.id),
                Text(&one.login),
                Text(&one.email),
                Bool(true),
                Text(&one.given),
                Text(&one.family),
                Text("fr"),
                Text("{}"),
                Text(one.status),
                Bool(false),
                Number(one.created_at),
                Number(one.created_at),
                Number(one.created_at),
                Bytes(&one.key),
            ]]
        }),
    )
    .await
}

async fn fill_members(db: &Db, set: &Dataset) -> Result<(), Failure> {
    let columns =
        ["person_id", "organization_id", "role", "created_at", "status", "affiliation", "ends_on", "sort_key"];
    let numbered = || set.people.iter().enumerate();
    write(
        db,
        "memberships",
        &columns,
        (numbered(), |(index, one)| {
            let role = if index % 500 == 0 { "administrator" } else { "member" };
            let status = if index % 300 == 7 { "suspended" } else { "active" };
            let (affiliation, end) =
                if index % 20 == 3 { ("external", Text("2027-06-30")) } else { ("employee", Null) };
            let mut end = Some(end);
            one.organizations
                .iter()
                .map(|organization| {
                    vec![
                        Text(&one.id),
                        Text(&set.organizations[*organization].id),
                        Text(role),
                        Number(one.created_at),
                        Text(status),
                        Text(affiliation),
                        end.take().unwrap_or(Text("2027-06-30")),
                        Bytes(&one.key),
                    ]
                })
                .collect()
        }),
    )
    .await?;
    let columns = ["person_id", "organization_id", "client_id", "role", "created_at"];
    write(
        db,
        "rights",
        &columns,
        (numbered(), |(index, one)| {
            let role = match index % 100 {
                0 => "trainer",
                1..40 => "learner",
                _ => return Vec::new(),
            };
            one.organizations
                .iter()
                .map(|at| {
                    vec![
                        Text(&one.id),
                        Text(&set.organizations[*at].id),
                        Text(PORTAL),
                        Text(role),
                        Number(one.created_at),
                    ]
                })
                .collect()
        }),
    )
    .await
}

async fn fill_words(db: &Db, set: &Dataset) -> Result<(), Failure> {
    write(
        db,
        "person_words",
        &["person_id", "word", "sort_key", "shared"],
        (set.people.iter(), |one| {
            let words = one.words.iter();
            words
                .map(|(word, shared)| vec![Text(&one.id), Bytes(word.as_bytes()), Bytes(&one.key), Number(*shared)])
                .collect()
        }),
    )
    .await?;
    let rows = set.member_words();
    let columns = ["organization_id", "word", "sort_key", "person_id", "shared"];
    write(
        db,
        "member_words",
        &columns,
        (rows.iter(), |(organization, word, person)| {
            let one = &set.people[*person as usize];
            let (word, shared) = &one.words[*word as usize];
            let organization = &set.organizations[*organization as usize].id;
            vec![vec![Text(organization), Bytes(word.as_bytes()), Bytes(&one.key), Text(&one.id), Number(*shared)]]
        }),
    )
    .await
}

fn told(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}

async fn reader(db: &Db) -> Result<Reader, Failure> {
    db.reader().await.map_err(told)
}

async fn execute(db: &Db, text: &str) -> Result<(), Failure> {
    let mut tx = db.begin().await.map_err(told)?;
    match tx.raw() {
        Raw::Sqlite(c) => c.execute(AssertSqlSafe(text.to_owned())).await.map(drop).map_err(told)?,
        Raw::Postgres(c) => c.execute(AssertSqlSafe(text.to_owned())).await.map(drop).map_err(told)?,
    }
    tx.commit().await.map_err(told)
}

async fn texts(db: &Db, sqlite: &'static str, postgres: &'static str) -> Result<Vec<(String, String)>, Failure> {
    match reader(db).await?.raw() {
        Raw::Sqlite(c) => sqlx::query_as(sqlite).fetch_all(c).await.map_err(told),
        Raw::Postgres(c) => sqlx::query_as(postgres).fetch_all(c).await.map_err(told),
    }
}

/// Drops the indexes that no key needs, and returns what makes them again: sorting once is faster than a million insertions.
async fn drop_indexes(db: &Db) -> Result<Vec<String>, Failure> {
    let all = texts(
        db,
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL
         AND tbl_name IN ('organizations', 'organization_words', 'people', 'memberships', 'rights', 'person_words', 'member_words')",
        "SELECT indexname::text, indexdef FROM pg_indexes i WHERE schemaname = 'public'
         AND tablename IN ('organizations', 'organization_words', 'people', 'memberships', 'rights', 'person_words', 'member_words')
         AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)",
    )
    .await?;
    for (name, _) in &all {
        execute(db, &format!("DROP INDEX {name}")).await?;
    }
    Ok(all.into_iter().map(|(_, text)| text).collect())
}

/// Writes the rows that `rows` makes of each item into a table, in as few statements as the engine takes.
async fn write<'a, T: 'a>(
    db: &Db,
    table: &'static str,
    columns: &[&str],
    (items, rows): (impl Iterator<Item = T>, impl Fn(T) -> Vec<Vec<Value<'a>>>),
) -> Result<(), Failure> {
    let began = Instant::now();
    let mut tx = db.begin().await.map_err(told)?;
    let written = match tx.raw() {
        Raw::Sqlite(c) => {
            let one = format!("({})", vec!["?"; columns.len()].join(", "));
            let text = |count: usize| {
                format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), vec![one.as_str(); count].join(", "))
            };
            let full = text(ROWS_AT_ONCE);
            let mut all = items.flat_map(&rows).peekable();
            let mut written = 0;
            while all.peek().is_some() {
                let batch: Vec<_> = all.by_ref().take(ROWS_AT_ONCE).collect();
                let own = if batch.len() == ROWS_AT_ONCE { full.clone() } else { text(batch.len()) };
                let mut query = sqlx::query(AssertSqlSafe(own));
                written += batch.len();
                for value in batch.into_iter().flatten() {
                    query = match value {
                        Null => query.bind(None::<&str>),
                        Text(text) => query.bind(text),
                        Bytes(bytes) => query.bind(bytes),
                        Number(number) => query.bind(number),
                        Bool(truth) => query.bind(truth),
                    };
                }
                query.execute(&mut *c).await.map_err(told)?;
            }
            written
        }
        Raw::Postgres(c) => {
            // Every reference was made by this program; checking each of millions takes longer than writing them.
            c.execute("SET LOCAL session_replication_role = replica").await.map_err(told)?;
            let mut copy =
                c.copy_in_raw(&format!("COPY {table} ({}) FROM STDIN", columns.join(", "))).await.map_err(told)?;
            let (mut piece, mut written) = (String::with_capacity(BYTES_AT_ONCE + 4096), 0);
            for row in items.flat_map(&rows) {
                push_row(&mut piece, row);
                written += 1;
                if piece.len() > BYTES_AT_ONCE {
                    copy.send(piece.as_bytes()).await.map_err(told)?;
                    piece.clear();
                }
            }
            copy.send(piece.as_bytes()).await.map_err(told)?;
            copy.finish().await.map_err(told)?;
            written
        }
    };
    tx.commit().await.map_err(told)?;
    println!("{table:20} {written:>9} rows  {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// A row in the text format of COPY; no value here holds a tab, a line break or a backslash.
fn push_row(piece: &mut String, row: Vec<Value<'_>>) {
    for (index, value) in row.into_iter().enumerate() {
        if index > 0 {
            piece.push('\t');
        }
        let _ = match value {
            Null => write!(piece, "\\N"),
            Text(text) => write!(piece, "{text}"),
            Number(number) => write!(piece, "{number}"),
            Bool(truth) => write!(piece, "{truth}"),
            Bytes(bytes) => {
                piece.push_str("\\\\x");
                for byte in bytes {
                    for digit in [byte >> 4, byte & 15] {
                        piece.push(char::from_digit(u32::from(digit), 16).expect("a digit"));
                    }
                }
                Ok(())
            }
        };
    }
    piece.push('\n');
}

async fn size_gb(db: &Db) -> Result<f64, Failure> {
    let sizes = texts(
        db,
        "SELECT CAST((SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) AS TEXT), ''",
        "SELECT pg_database_size(current_database())::text, ''",
    )
    .await?;
    let bytes: f64 = sizes[0].0.parse().map_err(told)?;
    Ok(bytes / 1e9)
}

/// Takes away what this program made, and gives the room back.
/// Days on which passwords were chosen: a year, the grace, and the day after.
const PASSWORD_DAYS: u32 = 396;

/// Gives everybody with an open account a password that nobody knows, chosen on one of the days until `until`.
async fn give_passwords(db: &Db, until: Date) -> Result<(), Failure> {
    let noon = calendar::midnight(until).as_millisecond() + 12 * 3_600_000;
    let text = format!(
        "INSERT INTO passwords (person_id, phc, changed_at)
         SELECT id, '$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0$bm9ib2R5IGtub3dzIHRoaXMgcGFzc3dvcmQ',
                {noon} - (ROW_NUMBER() OVER (ORDER BY id) % {PASSWORD_DAYS}) * 86400000
         FROM people WHERE id LIKE 'usr_set%' AND status = 'active'"
    );
    execute(db, &text).await?;
    println!("passwords chosen until {until}");
    Ok(())
}

/// Lets days pass for the passwords, planned as they are.
async fn age(db: &Db, days: usize) -> Result<(), Failure> {
    let past = days * 86_400_000;
    execute(db, &format!("UPDATE passwords SET changed_at = changed_at - {past}, look_at = look_at - {past}")).await?;
    println!("{days} day(s) have passed");
    Ok(())
}

async fn clean(db: &Db) -> Result<(), Failure> {
    execute(db, "DELETE FROM passwords WHERE person_id LIKE 'usr_set%'").await?;
    for table in TABLES.iter().rev() {
        let (column, like) = match *table {
            "clients" => ("id", PORTAL),
            "people" => ("id", "usr_set%"),
            "organizations" => ("id", "org_set%"),
            "organization_words" | "member_words" => ("organization_id", "org_set%"),
            _ => ("person_id", "usr_set%"),
        };
        execute(db, &format!("DELETE FROM {table} WHERE {column} LIKE '{like}'")).await?;
    }
    let mut tx = db.begin().await.map_err(told)?;
    if let Raw::Sqlite(_) = tx.raw() {
        drop(tx);
        println!("taken away; the file keeps its size until VACUUM, or until it is removed");
        return Ok(());
    }
    drop(tx);
    if let Raw::Postgres(c) = reader(db).await?.raw() {
        c.execute("VACUUM").await.map_err(told)?;
    }
    println!("taken away");
    Ok(())
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    FirstPage,
    DeepPage,
    NewestFirst,
    Administrators,
    ByPrefix,
    ByWord,
    ByTwoWords,
    ByWholeName,
    Open,
    OperatorPage,
    OperatorSearch,
}

impl Work {
    const ALL: [(Self, &'static str); 11] = [
        (Self::FirstPage, "members, first page"),
        (Self::DeepPage, "members, deep page"),
        (Self::NewestFirst, "members, newest first"),
        (Self::Administrators, "members, administrators"),
        (Self::ByPrefix, "search, 3 letters of a family name"),
        (Self::ByWord, "search, a whole family name"),
        (Self::ByTwoWords, "search, 3 letters of each name"),
        (Self::ByWholeName, "search, given and family name"),
        (Self::Open, "open a member"),
        (Self::OperatorPage, "all people, deep page"),
        (Self::OperatorSearch, "all people, given and family name"),
    ];
}

/// A member whom questions are about.
struct Known {
    id: String,
    login: String,
    given: String,
    family: String,
}

/// A database and what the questions need to know of it.
struct Side<'a> {
    db: &'a Db,
    organization: String,
    members: Vec<Known>,
    deep: Vec<Cursor>,
    deep_all: Vec<Cursor>,
}

impl<'a> Side<'a> {
    /// Looks at the largest organization: walks through it once, by the server's own functions.
    async fn look(db: &'a Db) -> Result<Self, Failure> {
        let organization = format!("org_set{:023}", 0);
        let mut side = Side { db, organization, members: Vec::new(), deep: Vec::new(), deep_all: Vec::new() };
        let mut c = reader(db).await?;
        let (mut after, filter) = (None, MemberFilter::default());
        loop {
            let page = members_list::list(&mut c, (&side.organization, &filter), (Order::Name, after), 200)
                .await
                .map_err(told)?;
            side.members.extend(page.rows.into_iter().map(|row| Known {
                id: row.id,
                login: row.login,
                given: row.given_name,
                family: row.family_name,
            }));
            let Some(next) = page.next else { break };
            side.deep.push(next.clone());
            after = Some(next);
        }
        let (mut after, filter) = (None, PersonFilter::default());
        for _ in 0..200 {
            let page = people_list::list(&mut c, &filter, (Order::Name, after), 200).await.map_err(told)?;
            let Some(next) = page.next else { break };
            side.deep_all.push(next.clone());
            after = Some(next);
        }
        // The words of the rows are those the server makes: whom it would find, it finds.
        for Known { id, login, given, family } in side.members.iter().step_by(side.members.len() / 20 + 1) {
            let words = search::query(&format!("{given} {family} {login}"));
            let filter = MemberFilter { words: &words, ..MemberFilter::default() };
            let page = members_list::list(&mut c, (&side.organization, &filter), (Order::Match, None), 200)
                .await
                .map_err(told)?;
            if !page.rows.iter().any(|row| row.id == *id) {
                return Err(format!("{given} {family} is not found: the words of this database are not the server's"));
            }
        }
        Ok(side)
    }

    /// One question; how many rows came.
    async fn ask(&self, work: Work, seed: u64, limit: u32) -> Result<usize, Failure> {
        let mut numbers = Numbers(seed);
        let mut c = reader(self.db).await?;
        let Known { id, given, family, .. } = &self.members[numbers.below(self.members.len())];
        let start = |name: &str| name.chars().take(3).collect::<String>();
        let typed = match work {
            Work::ByPrefix => start(family),
            Work::ByWord => family.clone(),
            Work::ByTwoWords => format!("{} {}", start(given), start(family)),
            Work::ByWholeName | Work::OperatorSearch => format!("{given} {family}"),
            _ => String::new(),
        };
        let words = search::query(&typed);
        let mut filter = MemberFilter { words: &words, ..MemberFilter::default() };
        if work == Work::Administrators {
            filter.role = Some("administrator");
        }
        let some = |cursors: &[Cursor], numbers: &mut Numbers| cursors.get(numbers.below(cursors.len())).cloned();
        let (order, after) = match work {
            Work::FirstPage | Work::Administrators => (Order::Name, None),
            Work::DeepPage => (Order::Name, some(&self.deep, &mut numbers)),
            Work::NewestFirst => (Order::TimeDescending, None),
            Work::OperatorPage => (Order::Name, some(&self.deep_all, &mut numbers)),
            _ => (Order::Match, None),
        };
        match work {
            Work::Open => {
                let person = people::find(&mut c, id).await.map_err(told)?;
                organizations::of_person(&mut c, id, Timestamp::UNIX_EPOCH).await.map_err(told)?;
                organizations::rights_of(&mut c, (id, &self.organization), PORTAL).await.map_err(told)?;
                Ok(usize::from(person.is_some()))
            }
            Work::OperatorPage | Work::OperatorSearch => {
                let filter = PersonFilter { words: &words, ..PersonFilter::default() };
                people_list::list(&mut c, &filter, (order, after), limit)
                    .await
                    .map(|page| page.rows.len())
                    .map_err(told)
            }
            _ => members_list::list(&mut c, (&self.organization, &filter), (order, after), limit)
                .await
                .map(|page| page.rows.len())
                .map_err(told),
        }
    }
}

/// Asks both databases the same kinds of questions in turns, so that whatever else the machine does meets both alike.
async fn measure(large: &Db, small: &Db, requests: usize, limit: u32) -> Result<(), Failure> {
    let sides = [Side::look(small).await?, Side::look(large).await?];
    let (small, large) = (&sides[0], &sides[1]);
    println!(
        "organization of {} members against one of {}; {requests} questions of each kind, pages of {limit}",
        large.members.len(),
        small.members.len()
    );
    println!("{:36} {:>17} {:>17} {:>13} {:>11}", "", "small p50 p99 ms", "large p50 p99 ms", "ratio p50 p99", "rows");
    for (work, name) in Work::ALL {
        let mut times: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
        let mut rows = [0, 0];
        // A tenth more, before the clock runs.
        for number in 0..requests * 11 / 10 {
            for (index, side) in sides.iter().enumerate() {
                let began = Instant::now();
                let count = side.ask(work, number as u64, limit).await?;
                if number >= requests / 10 {
                    times[index].push(began.elapsed());
                    rows[index] += count;
                }
            }
        }
        let mut line = format!("{name:36}");
        let [small, large] = times.map(|mut times| {
            times.sort_unstable();
            let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
            (at(50), at(99))
        });
        let _ = write!(line, " {:8.3} {:8.3} {:8.3} {:8.3}", small.0, small.1, large.0, large.1);
        let _ = write!(line, " {:6.2} {:6.2}", large.0 / small.0, large.1 / small.1);
        println!("{line} {:5} {:5}", rows[0] / requests, rows[1] / requests);
    }
    Ok(())
}
