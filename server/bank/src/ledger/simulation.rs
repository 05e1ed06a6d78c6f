//! Simulation of each account, day by day: incomes and bills on their dates, purchases by a seeded generator, and at the
//! month's end a transfer that keeps balances in a believable range.

use super::accounts::{BUSINESS, EURO, FAMILY, HOUSEHOLD, SAVINGS, STUDENT};
use super::payees::Payee;
use super::seeded_rng::SeededRng;
use super::{Day, EPOCH};

/// An entry when it is made: not yet in its place among the booked ones.
pub struct NewEntry {
    pub day: Day,
    pub books_on: Day,
    pub payee: i64,
    pub salt: i64,
    pub amount: i64,
}

/// Everything made on a user's accounts from their opening to the end of a day.
pub fn entries_until(username: &str, to: Day) -> Vec<(i64, Vec<NewEntry>)> {
    let lives = match username {
        "student" => vec![student(to)],
        "family" => {
            let household = household(to);
            let family = family(to, &household.credits());
            let savings = savings(to, &family.sent_to(Payee::ToSavings));
            vec![family, savings, household, euro(to)]
        }
        "business" => vec![business(to)],
        _ => Vec::new(),
    };
    lives
        .into_iter()
        .map(|account| (account.account, account.made))
        .collect()
}

/// Simulation of one account.
struct AccountSimulation {
    account: i64,
    balance: i64,
    made: Vec<NewEntry>,
}

impl AccountSimulation {
    fn new(account: i64) -> Self {
        Self {
            account,
            balance: 0,
            made: Vec::new(),
        }
    }

    fn days(to: Day) -> impl Iterator<Item = Day> {
        (EPOCH.0..=to.0).map(Day)
    }

    fn make(&mut self, day: Day, books_on: Day, rng: &mut SeededRng, payee: Payee, amount: i64) {
        self.balance += amount;
        self.made.push(NewEntry {
            day,
            books_on,
            payee: payee as i64,
            salt: rng.salt(),
            amount,
        });
    }

    /// Booked on the day it is made.
    fn book(&mut self, day: Day, rng: &mut SeededRng, payee: Payee, amount: i64) {
        self.make(day, day, rng, payee, amount);
    }

    /// Booked on the next working day, or the one after: pending until then.
    fn card(&mut self, day: Day, rng: &mut SeededRng, payee: Payee, amount: i64) {
        let books_on = day.plus(rng.between(1, 2)).next_working();
        self.make(day, books_on, rng, payee, amount);
    }

    /// A card purchase that happens with a probability in percent, of `low` to `high` whole units and 0 to 99 of a hundred.
    fn maybe(
        &mut self,
        day: Day,
        rng: &mut SeededRng,
        chance: i64,
        payee: Payee,
        low: i64,
        high: i64,
    ) {
        if rng.percent(chance) {
            let amount = rng.between(low, high) * 100 + rng.between(0, 99);
            self.card(day, rng, payee, -amount);
        }
    }

    /// Every day sees at least one purchase, so that there is always something pending.
    fn at_least_coffee(&mut self, day: Day, rng: &mut SeededRng) {
        if self
            .made
            .last()
            .is_none_or(|last| last.day != day || last.books_on == day)
        {
            let amount = rng.between(9, 24) * 100;
            self.card(day, rng, Payee::Coffee, -amount);
        }
    }

    /// At the month's end, what exceeds `keep` leaves, in whole tens.
    fn sweep(&mut self, day: Day, rng: &mut SeededRng, payee: Payee, keep: i64) {
        let excess = (self.balance - keep) / 1_000 * 1_000;
        if day.is_last_of_month() && excess > 0 {
            self.book(day, rng, payee, -excess);
        }
    }

    /// Money that came in, as the sender's account sees it: day and amount.
    fn credits(&self) -> Vec<(Day, i64)> {
        let credits = self
            .made
            .iter()
            .filter(|made| made.payee == Payee::FromCurrent as i64);
        credits.map(|made| (made.day, made.amount)).collect()
    }

    /// Days and amounts, in minor units, of the payments to a payee; positive, as they appear on the payee's account.
    fn sent_to(&self, payee: Payee) -> Vec<(Day, i64)> {
        let sent = self.made.iter().filter(|made| made.payee == payee as i64);
        sent.map(|made| (made.day, -made.amount)).collect()
    }
}

/// Returns `true` if something due on a day of the month falls on this day; a due day on a weekend moves to Monday.
fn due(day: Day, day_of_month: u32) -> bool {
    (0..=2)
        .map(|back| day.plus(-back))
        .any(|nominal| nominal.day_of_month() == day_of_month && nominal.next_working() == day)
}

fn student(to: Day) -> AccountSimulation {
    let mut account = AccountSimulation::new(STUDENT);
    for day in AccountSimulation::days(to) {
        let rng = &mut SeededRng::new(STUDENT, day);
        if day == EPOCH {
            account.book(day, rng, Payee::Scholarship, 180_000);
        }
        if due(day, 1) {
            account.book(day, rng, Payee::DormRent, -65_000);
            account.card(day, rng, Payee::Bus, -4_000);
        }
        if due(day, 3) {
            account.book(day, rng, Payee::Scholarship, 120_000);
        }
        if due(day, 15) {
            let wage = rng.between(1_850, 2_150) * 100;
            account.book(day, rng, Payee::PartTime, wage);
        }
        if due(day, 7) {
            account.card(day, rng, Payee::Stream, -2_999);
        }
        if due(day, 20) {
            account.book(day, rng, Payee::Phone, -4_500);
        }
        if !day.is_weekend() {
            account.maybe(day, rng, 50, Payee::Canteen, 18, 31);
        }
        account.maybe(day, rng, 30, Payee::Grocer, 12, 70);
        account.maybe(day, rng, 18, Payee::Supermarket, 25, 110);
        account.maybe(day, rng, 5, Payee::Books, 30, 120);
        account.maybe(day, rng, 6, Payee::Cinema, 25, 60);
        if rng.percent(4) {
            let notes = rng.between(1, 4) * 5_000;
            account.book(day, rng, Payee::CashMachine, -notes);
        }
        if rng.percent(1) {
            let refund = rng.between(20, 80) * 100;
            account.card(day, rng, Payee::ShopRefund, refund);
        }
        account.at_least_coffee(day, rng);
        if day.is_last_of_month() {
            account.book(day, rng, Payee::Fee, -500);
        }
        account.sweep(day, rng, Payee::HolidayFund, 140_000);
    }
    account
}

/// The account that is always overdrawn: on the first of each month it is brought up to 400 below zero.
fn household(to: Day) -> AccountSimulation {
    let mut account = AccountSimulation::new(HOUSEHOLD);
    for day in AccountSimulation::days(to) {
        let rng = &mut SeededRng::new(HOUSEHOLD, day);
        if day == EPOCH {
            account.book(day, rng, Payee::Appliances, -249_900);
        }
        if due(day, 1) {
            let money = (-40_000 - account.balance).max(0);
            account.book(day, rng, Payee::FromCurrent, money);
        }
        account.maybe(day, rng, 22, Payee::Hardware, 20, 180);
        account.maybe(day, rng, 12, Payee::Pets, 25, 110);
        if due(day, 6) {
            account.card(day, rng, Payee::Sports, -24_000);
        }
        account.at_least_coffee(day, rng);
        if day.is_last_of_month() {
            // 12 % a year on what is owed.
            let interest = account.balance / 100;
            account.book(day, rng, Payee::OverdraftInterest, interest);
        }
    }
    account
}

fn family(to: Day, household_money: &[(Day, i64)]) -> AccountSimulation {
    let mut account = AccountSimulation::new(FAMILY);
    let mut household_money = household_money.iter().peekable();
    for day in AccountSimulation::days(to) {
        let rng = &mut SeededRng::new(FAMILY, day);
        if day == EPOCH {
            account.book(day, rng, Payee::SalaryOne, 940_000);
        }
        while let Some((_, money)) = household_money.next_if(|(sent, _)| *sent == day) {
            account.book(day, rng, Payee::ToHousehold, -money);
        }
        family_bills(&mut account, day, rng);
        account.maybe(day, rng, 40, Payee::Supermarket, 60, 320);
        account.maybe(day, rng, 25, Payee::Grocer, 20, 90);
        account.maybe(day, rng, 20, Payee::Bakery, 8, 35);
        account.maybe(day, rng, 15, Payee::Fuel, 150, 380);
        account.maybe(day, rng, 8, Payee::Pharmacy, 20, 140);
        account.maybe(day, rng, 12, Payee::Restaurant, 70, 240);
        account.maybe(day, rng, 6, Payee::Clothes, 80, 420);
        if rng.percent(2) {
            let refund = rng.between(30, 160) * 100 + 99;
            account.card(day, rng, Payee::MarketRefund, refund);
        }
        account.at_least_coffee(day, rng);
        account.sweep(day, rng, Payee::ToSavings, 1_000_000);
    }
    account
}

/// A family's incomes and bills, on their dates.
fn family_bills(account: &mut AccountSimulation, day: Day, rng: &mut SeededRng) {
    let fixed = [
        (2, Payee::Landlord, -310_000),
        (5, Payee::Nursery, -145_000),
        (8, Payee::Allowance, 58_400),
        (10, Payee::SalaryOne, 940_000),
        (18, Payee::Insurance, -21_000),
        (22, Payee::Phone, -14_500),
        (25, Payee::SalaryTwo, 720_000),
        (28, Payee::Fee, -1_200),
    ];
    for (day_of_month, payee, amount) in fixed {
        if due(day, day_of_month) {
            account.book(day, rng, payee, amount);
        }
    }
    if due(day, 12) {
        let winter = if matches!(day.month(), 11 | 12 | 1..=3) {
            220
        } else {
            0
        };
        let invoice = rng.between(210, 340) + winter;
        account.book(day, rng, Payee::Power, -invoice * 100);
    }
    if due(day, 14) {
        let invoice = rng.between(90, 140) * 100 + rng.between(0, 99);
        account.book(day, rng, Payee::Water, -invoice);
    }
}

fn savings(to: Day, deposits: &[(Day, i64)]) -> AccountSimulation {
    let mut account = AccountSimulation::new(SAVINGS);
    let mut deposits = deposits.iter().peekable();
    for day in AccountSimulation::days(to) {
        let rng = &mut SeededRng::new(SAVINGS, day);
        while let Some((_, amount)) = deposits.next_if(|(sent, _)| *sent == day) {
            account.book(day, rng, Payee::FromCurrent, *amount);
        }
        if day.is_last_of_month() && account.balance > 0 {
            // 3 % a year.
            let interest = account.balance / 400;
            account.book(day, rng, Payee::Interest, interest);
        }
        if day.month() == 7 && due(day, 1) && account.balance > 0 {
            let holiday = account.balance / 2 / 10_000 * 10_000;
            account.book(day, rng, Payee::Travel, -holiday);
        }
    }
    account
}

fn euro(to: Day) -> AccountSimulation {
    let mut account = AccountSimulation::new(EURO);
    for day in AccountSimulation::days(to) {
        let rng = &mut SeededRng::new(EURO, day);
        if day == EPOCH || due(day, 27) {
            let invoice = rng.between(800, 950) * 100;
            account.book(day, rng, Payee::EuroClient, invoice);
        }
        if due(day, 4) {
            account.card(day, rng, Payee::Cloud, -999);
        }
        account.maybe(day, rng, 7, Payee::Rail, 20, 90);
        account.maybe(day, rng, 3, Payee::Lodging, 80, 240);
        account.sweep(day, rng, Payee::Deposit, 150_000);
    }
    account
}

/// A stationer with a shop, a web shop and eight employees. Any fourteen days have 625 entries.
fn business(to: Day) -> AccountSimulation {
    let mut account = AccountSimulation::new(BUSINESS);
    for day in AccountSimulation::days(to) {
        let rng = &mut SeededRng::new(BUSINESS, day);
        let end = account.made.len() + entries_on(day);
        business_bills(&mut account, day, rng);
        while account.made.len() < end {
            // The last entry of a week takes what the shop does not need.
            let sweep =
                day.weekday() == 4 && account.made.len() + 1 == end && account.balance > 9_000_000;
            if sweep {
                let excess = (account.balance - 8_000_000) / 100_000 * 100_000;
                account.book(day, rng, Payee::Deposit, -excess);
            } else {
                business_trade(&mut account, day, rng);
            }
        }
    }
    account
}

/// 540 in the ten weekdays of a fortnight, 60 on its Saturdays, 12 and 13 on its Sundays.
fn entries_on(day: Day) -> usize {
    match (day.0 - EPOCH.0).rem_euclid(14) {
        5 | 12 => 30,
        6 => 12,
        13 => 13,
        _ => 54,
    }
}

fn business_bills(account: &mut AccountSimulation, day: Day, rng: &mut SeededRng) {
    if day == EPOCH {
        account.book(day, rng, Payee::CustomerTransfer, 6_000_000);
    }
    if due(day, 3) {
        account.book(day, rng, Payee::Premises, -900_000);
    }
    if due(day, 9) {
        for _ in 0..8 {
            let salary = rng.between(480, 720) * 1_000;
            account.book(day, rng, Payee::Payroll, -salary);
        }
    }
    if due(day, 24) {
        let tax = rng.between(700, 1_100) * 1_000;
        account.book(day, rng, Payee::Tax, -tax);
    }
    if due(day, 28) {
        let fees = rng.between(180, 320) * 100 + rng.between(0, 99);
        account.book(day, rng, Payee::CardFee, -fees);
    }
}

/// One entry of the day's trade.
fn business_trade(account: &mut AccountSimulation, day: Day, rng: &mut SeededRng) {
    let cents = rng.between(0, 99);
    let lei = |low, high, rng: &mut SeededRng| rng.between(low, high) * 100 + cents;
    match rng.below(100) {
        0..55 => {
            let sale = lei(8, 160, rng);
            account.card(day, rng, Payee::Till, sale);
        }
        55..82 => {
            let order = lei(30, 320, rng);
            account.card(day, rng, Payee::WebShop, order);
        }
        82..87 if !day.is_weekend() => {
            let invoice = lei(250, 1_900, rng);
            account.book(day, rng, Payee::CustomerTransfer, invoice);
        }
        87..89 => {
            let refund = lei(30, 180, rng);
            account.card(day, rng, Payee::CustomerReturn, -refund);
        }
        89..94 if !day.is_weekend() => {
            let invoice = lei(150, 1_150, rng);
            account.book(day, rng, Payee::Paper, -invoice);
        }
        94..97 if !day.is_weekend() => {
            let invoice = lei(60, 420, rng);
            account.book(day, rng, Payee::Packaging, -invoice);
        }
        97..100 if !day.is_weekend() => {
            let invoice = lei(90, 380, rng);
            account.book(day, rng, Payee::Courier, -invoice);
        }
        _ => {
            let sale = lei(8, 120, rng);
            account.card(day, rng, Payee::Till, sale);
        }
    }
}
