//! What happens to each account, day by day: incomes and bills on their dates, purchases by the dice, and at the
//! month's end a transfer that keeps balances in a believable range.

use super::accounts::{BUSINESS, EURO, FAMILY, HOUSEHOLD, SAVINGS, STUDENT};
use super::dice::Dice;
use super::payees::Payee;
use super::{Day, EPOCH};

/// An entry when it is made: not yet in its place among the booked ones.
pub struct Made {
    pub day: Day,
    pub books_on: Day,
    pub payee: i64,
    pub salt: i64,
    pub amount: i64,
}

/// Everything made on a user's accounts from their opening to the end of a day.
pub fn made_until(username: &str, to: Day) -> Vec<(i64, Vec<Made>)> {
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
        .map(|life| (life.account, life.made))
        .collect()
}

/// One account on its way through time.
struct Life {
    account: i64,
    balance: i64,
    made: Vec<Made>,
}

impl Life {
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

    fn make(&mut self, day: Day, books_on: Day, dice: &mut Dice, payee: Payee, amount: i64) {
        self.balance += amount;
        self.made.push(Made {
            day,
            books_on,
            payee: payee as i64,
            salt: dice.salt(),
            amount,
        });
    }

    /// Booked on the day it is made.
    fn book(&mut self, day: Day, dice: &mut Dice, payee: Payee, amount: i64) {
        self.make(day, day, dice, payee, amount);
    }

    /// Booked on the next working day, or the one after: pending until then.
    fn card(&mut self, day: Day, dice: &mut Dice, payee: Payee, amount: i64) {
        let books_on = day.plus(dice.between(1, 2)).next_working();
        self.make(day, books_on, dice, payee, amount);
    }

    /// A card purchase that happens with a probability in percent, of `low` to `high` whole units and 0 to 99 of a hundred.
    fn maybe(&mut self, day: Day, dice: &mut Dice, chance: i64, payee: Payee, low: i64, high: i64) {
        if dice.percent(chance) {
            let amount = dice.between(low, high) * 100 + dice.between(0, 99);
            self.card(day, dice, payee, -amount);
        }
    }

    /// Every day sees at least one purchase, so that there is always something pending.
    fn at_least_coffee(&mut self, day: Day, dice: &mut Dice) {
        if self
            .made
            .last()
            .is_none_or(|last| last.day != day || last.books_on == day)
        {
            let amount = dice.between(9, 24) * 100;
            self.card(day, dice, Payee::Coffee, -amount);
        }
    }

    /// At the month's end, what exceeds `keep` leaves, in whole tens.
    fn sweep(&mut self, day: Day, dice: &mut Dice, payee: Payee, keep: i64) {
        let excess = (self.balance - keep) / 1_000 * 1_000;
        if day.is_last_of_month() && excess > 0 {
            self.book(day, dice, payee, -excess);
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

    /// What went to a payee, as the receiver's account sees it: day and amount.
    fn sent_to(&self, payee: Payee) -> Vec<(Day, i64)> {
        let sent = self.made.iter().filter(|made| made.payee == payee as i64);
        sent.map(|made| (made.day, -made.amount)).collect()
    }
}

/// Whether something due on a day of the month falls on this day: weekends move it to Monday.
fn due(day: Day, day_of_month: u32) -> bool {
    (0..=2)
        .map(|back| day.plus(-back))
        .any(|nominal| nominal.day_of_month() == day_of_month && nominal.next_working() == day)
}

fn student(to: Day) -> Life {
    let mut life = Life::new(STUDENT);
    for day in Life::days(to) {
        let dice = &mut Dice::new(STUDENT, day);
        if day == EPOCH {
            life.book(day, dice, Payee::Scholarship, 180_000);
        }
        if due(day, 1) {
            life.book(day, dice, Payee::DormRent, -65_000);
            life.card(day, dice, Payee::Bus, -4_000);
        }
        if due(day, 3) {
            life.book(day, dice, Payee::Scholarship, 120_000);
        }
        if due(day, 15) {
            let wage = dice.between(1_850, 2_150) * 100;
            life.book(day, dice, Payee::PartTime, wage);
        }
        if due(day, 7) {
            life.card(day, dice, Payee::Stream, -2_999);
        }
        if due(day, 20) {
            life.book(day, dice, Payee::Phone, -4_500);
        }
        if !day.is_weekend() {
            life.maybe(day, dice, 50, Payee::Canteen, 18, 31);
        }
        life.maybe(day, dice, 30, Payee::Grocer, 12, 70);
        life.maybe(day, dice, 18, Payee::Supermarket, 25, 110);
        life.maybe(day, dice, 5, Payee::Books, 30, 120);
        life.maybe(day, dice, 6, Payee::Cinema, 25, 60);
        if dice.percent(4) {
            let notes = dice.between(1, 4) * 5_000;
            life.book(day, dice, Payee::CashMachine, -notes);
        }
        if dice.percent(1) {
            let refund = dice.between(20, 80) * 100;
            life.card(day, dice, Payee::ShopRefund, refund);
        }
        life.at_least_coffee(day, dice);
        if day.is_last_of_month() {
            life.book(day, dice, Payee::Fee, -500);
        }
        life.sweep(day, dice, Payee::HolidayFund, 140_000);
    }
    life
}

/// The account that is always overdrawn: on the first of each month it is brought up to 400 below zero.
fn household(to: Day) -> Life {
    let mut life = Life::new(HOUSEHOLD);
    for day in Life::days(to) {
        let dice = &mut Dice::new(HOUSEHOLD, day);
        if day == EPOCH {
            life.book(day, dice, Payee::Appliances, -249_900);
        }
        if due(day, 1) {
            let money = (-40_000 - life.balance).max(0);
            life.book(day, dice, Payee::FromCurrent, money);
        }
        life.maybe(day, dice, 22, Payee::Hardware, 20, 180);
        life.maybe(day, dice, 12, Payee::Pets, 25, 110);
        if due(day, 6) {
            life.card(day, dice, Payee::Sports, -24_000);
        }
        life.at_least_coffee(day, dice);
        if day.is_last_of_month() {
            // 12 % a year on what is owed.
            let interest = life.balance / 100;
            life.book(day, dice, Payee::OverdraftInterest, interest);
        }
    }
    life
}

fn family(to: Day, household_money: &[(Day, i64)]) -> Life {
    let mut life = Life::new(FAMILY);
    let mut household_money = household_money.iter().peekable();
    for day in Life::days(to) {
        let dice = &mut Dice::new(FAMILY, day);
        if day == EPOCH {
            life.book(day, dice, Payee::SalaryOne, 940_000);
        }
        while let Some((_, money)) = household_money.next_if(|(sent, _)| *sent == day) {
            life.book(day, dice, Payee::ToHousehold, -money);
        }
        family_bills(&mut life, day, dice);
        life.maybe(day, dice, 40, Payee::Supermarket, 60, 320);
        life.maybe(day, dice, 25, Payee::Grocer, 20, 90);
        life.maybe(day, dice, 20, Payee::Bakery, 8, 35);
        life.maybe(day, dice, 15, Payee::Fuel, 150, 380);
        life.maybe(day, dice, 8, Payee::Pharmacy, 20, 140);
        life.maybe(day, dice, 12, Payee::Restaurant, 70, 240);
        life.maybe(day, dice, 6, Payee::Clothes, 80, 420);
        if dice.percent(2) {
            let refund = dice.between(30, 160) * 100 + 99;
            life.card(day, dice, Payee::MarketRefund, refund);
        }
        life.at_least_coffee(day, dice);
        life.sweep(day, dice, Payee::ToSavings, 1_000_000);
    }
    life
}

/// A family's incomes and bills, on their dates.
fn family_bills(life: &mut Life, day: Day, dice: &mut Dice) {
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
            life.book(day, dice, payee, amount);
        }
    }
    if due(day, 12) {
        let winter = if matches!(day.month(), 11 | 12 | 1..=3) {
            220
        } else {
            0
        };
        let invoice = dice.between(210, 340) + winter;
        life.book(day, dice, Payee::Power, -invoice * 100);
    }
    if due(day, 14) {
        let invoice = dice.between(90, 140) * 100 + dice.between(0, 99);
        life.book(day, dice, Payee::Water, -invoice);
    }
}

fn savings(to: Day, deposits: &[(Day, i64)]) -> Life {
    let mut life = Life::new(SAVINGS);
    let mut deposits = deposits.iter().peekable();
    for day in Life::days(to) {
        let dice = &mut Dice::new(SAVINGS, day);
        while let Some((_, amount)) = deposits.next_if(|(sent, _)| *sent == day) {
            life.book(day, dice, Payee::FromCurrent, *amount);
        }
        if day.is_last_of_month() && life.balance > 0 {
            // 3 % a year.
            let interest = life.balance / 400;
            life.book(day, dice, Payee::Interest, interest);
        }
        if day.month() == 7 && due(day, 1) && life.balance > 0 {
            let holiday = life.balance / 2 / 10_000 * 10_000;
            life.book(day, dice, Payee::Travel, -holiday);
        }
    }
    life
}

fn euro(to: Day) -> Life {
    let mut life = Life::new(EURO);
    for day in Life::days(to) {
        let dice = &mut Dice::new(EURO, day);
        if day == EPOCH || due(day, 27) {
            let invoice = dice.between(800, 950) * 100;
            life.book(day, dice, Payee::EuroClient, invoice);
        }
        if due(day, 4) {
            life.card(day, dice, Payee::Cloud, -999);
        }
        life.maybe(day, dice, 7, Payee::Rail, 20, 90);
        life.maybe(day, dice, 3, Payee::Lodging, 80, 240);
        life.sweep(day, dice, Payee::Deposit, 150_000);
    }
    life
}

/// A stationer with a shop, a web shop and eight employees. Any fourteen days have 625 entries.
fn business(to: Day) -> Life {
    let mut life = Life::new(BUSINESS);
    for day in Life::days(to) {
        let dice = &mut Dice::new(BUSINESS, day);
        let end = life.made.len() + entries_on(day);
        business_bills(&mut life, day, dice);
        while life.made.len() < end {
            // The last entry of a week takes what the shop does not need.
            let sweep =
                day.weekday() == 4 && life.made.len() + 1 == end && life.balance > 9_000_000;
            if sweep {
                let excess = (life.balance - 8_000_000) / 100_000 * 100_000;
                life.book(day, dice, Payee::Deposit, -excess);
            } else {
                business_trade(&mut life, day, dice);
            }
        }
    }
    life
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

fn business_bills(life: &mut Life, day: Day, dice: &mut Dice) {
    if day == EPOCH {
        life.book(day, dice, Payee::CustomerTransfer, 6_000_000);
    }
    if due(day, 3) {
        life.book(day, dice, Payee::Premises, -900_000);
    }
    if due(day, 9) {
        for _ in 0..8 {
            let salary = dice.between(480, 720) * 1_000;
            life.book(day, dice, Payee::Payroll, -salary);
        }
    }
    if due(day, 24) {
        let tax = dice.between(700, 1_100) * 1_000;
        life.book(day, dice, Payee::Tax, -tax);
    }
    if due(day, 28) {
        let fees = dice.between(180, 320) * 100 + dice.between(0, 99);
        life.book(day, dice, Payee::CardFee, -fees);
    }
}

/// One entry of the day's trade.
fn business_trade(life: &mut Life, day: Day, dice: &mut Dice) {
    let cents = dice.between(0, 99);
    let lei = |low, high, dice: &mut Dice| dice.between(low, high) * 100 + cents;
    match dice.below(100) {
        0..55 => {
            let sale = lei(8, 160, dice);
            life.card(day, dice, Payee::Till, sale);
        }
        55..82 => {
            let order = lei(30, 320, dice);
            life.card(day, dice, Payee::WebShop, order);
        }
        82..87 if !day.is_weekend() => {
            let invoice = lei(250, 1_900, dice);
            life.book(day, dice, Payee::CustomerTransfer, invoice);
        }
        87..89 => {
            let refund = lei(30, 180, dice);
            life.card(day, dice, Payee::CustomerReturn, -refund);
        }
        89..94 if !day.is_weekend() => {
            let invoice = lei(150, 1_150, dice);
            life.book(day, dice, Payee::Paper, -invoice);
        }
        94..97 if !day.is_weekend() => {
            let invoice = lei(60, 420, dice);
            life.book(day, dice, Payee::Packaging, -invoice);
        }
        97..100 if !day.is_weekend() => {
            let invoice = lei(90, 380, dice);
            life.book(day, dice, Payee::Courier, -invoice);
        }
        _ => {
            let sale = lei(8, 120, dice);
            life.card(day, dice, Payee::Till, sale);
        }
    }
}
