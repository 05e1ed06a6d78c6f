//! What the bank of both servers shows.

use rand::Rng as _;

use super::calls::Maker;
use super::words;
use super::*;

impl Maker {
    /// Returns what the bank shows: accounts, and the pages of transactions of each by its id.
    pub fn data(&mut self) -> (Vec<BankAccount>, HashMap<String, Vec<Vec<BankTransaction>>>) {
        let mut accounts = vec![
            account("acc-1", "RO00TEST0000000000000001"),
            account("acc-2", "RO00TEST0000000000000002"),
            account("acc-3", "RO00TEST0000000000000002"),
        ];
        accounts[1].currency = "EUR".into();
        accounts[2].currency = "EUR".into();
        accounts[2].name = Some("Meșter".into());
        if self.rng.random_bool(0.5) {
            accounts.reverse();
        }
        let mut pages = HashMap::new();
        for account in &accounts {
            let rows: Vec<_> = (0..40).map(|n| self.row(n)).collect();
            pages.insert(
                account.id.clone(),
                rows.chunks(15).map(<[_]>::to_vec).collect(),
            );
        }
        (accounts, pages)
    }

    fn row(&mut self, n: usize) -> BankTransaction {
        let rng = &mut self.rng;
        let day = match rng.random_range(0..30) {
            0 => "0001-01-01".to_owned(),
            1 => "9999-12-31".to_owned(),
            2 => "1970-01-01".to_owned(),
            _ => format!(
                "2025-{:02}-{:02}",
                rng.random_range(10..=12),
                rng.random_range(1..=28)
            ),
        };
        let amount = format!(
            "{}.{:02}",
            rng.random_range(-150..150),
            rng.random_range(0..100)
        );
        let mut row = transaction(&format!("id-{n}"), &amount, &day);
        row.remittance = Some(words::text(rng).replace('\0', ""));
        row.category = Some(words::text(rng).replace('\0', ""));
        row.creditor.as_mut().unwrap().name = Some(words::text(rng).replace('\0', ""));
        row.currency = ["RON", "EUR", "JPY", "BTC"][rng.random_range(0..4)].into();
        if rng.random_bool(0.3) {
            row.id = None;
        }
        if rng.random_bool(0.2) {
            row.status = BookingStatus::Pending;
            row.value_date = row.booking_date.take();
        }
        row
    }
}
