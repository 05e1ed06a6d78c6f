//! Counterparties of the bank's accounts, all of them invented, and the texts of the entries that name them.

use super::LedgerEntry;
use super::iban::romanian;

/// Means of payment of an entry. Decides if its counterparty has a name and an account number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentMeans {
    /// A card at a shop: a name, no account number.
    Card,
    /// A credit transfer to or from an account elsewhere.
    Transfer,
    /// A direct debit.
    Debit,
    /// Cash from a machine.
    Cash,
    /// The bank's own: fees and interest, no other side.
    Bank,
}

/// Fixed properties of a payee.
pub struct PayeeProfile {
    pub name: &'static str,
    pub way: PaymentMeans,
    /// ISO 18245 merchant category code, for cards.
    pub mcc: Option<&'static str>,
    /// The bank's own word for the kind of spending.
    pub category: &'static str,
    /// ISO 20022 domain, family and sub-family.
    pub code: &'static str,
    /// Remittance information; `{n}` stands for a reference number.
    pub text: &'static str,
}

/// Lists payees: a variant, and its facts in the order of [`PayeeProfile`].
macro_rules! payees {
    ($($who:ident: $name:literal $way:ident $mcc:tt $category:literal $code:literal $text:literal;)+) => {
        /// A payee. Its place in the list is what entries keep, so the list only ever grows at its end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Payee { $($who,)+ }

        /// Every payee's facts, in the order of [`Payee`].
        pub const PAYEES: &[PayeeProfile] = &[$(PayeeProfile {
            name: $name,
            way: PaymentMeans::$way,
            mcc: payees!(@mcc $mcc),
            category: $category,
            code: $code,
            text: $text,
        },)+];
    };
    (@mcc -) => { None };
    (@mcc $mcc:literal) => { Some($mcc) };
}

payees! {
    Grocer: "Piața Teiului" Card "5411" "groceries" "PMNT-CCRD-POSD" "Piața Teiului, card purchase {n}";
    Supermarket: "Codru Market" Card "5411" "groceries" "PMNT-CCRD-POSD" "Codru Market, card purchase {n}";
    Bakery: "Brutăria Spicul Auriu" Card "5462" "groceries" "PMNT-CCRD-POSD" "Brutăria Spicul Auriu, card purchase {n}";
    Coffee: "Cafeneaua Amiază" Card "5814" "eating_out" "PMNT-CCRD-POSD" "Cafeneaua Amiază, card purchase {n}";
    Canteen: "Cantina Campus Nord" Card "5812" "eating_out" "PMNT-CCRD-POSD" "Cantina Campus Nord, lunch {n}";
    Restaurant: "Bistro Luntrea" Card "5812" "eating_out" "PMNT-CCRD-POSD" "Bistro Luntrea, card purchase {n}";
    Cinema: "Cinema Meridian" Card "7832" "leisure" "PMNT-CCRD-POSD" "Cinema Meridian, tickets {n}";
    Books: "Librăria Semn" Card "5942" "education" "PMNT-CCRD-POSD" "Librăria Semn, card purchase {n}";
    Pharmacy: "Farmacia Salvia" Card "5912" "health" "PMNT-CCRD-POSD" "Farmacia Salvia, card purchase {n}";
    Fuel: "Benzinăria Popas" Card "5541" "transport" "PMNT-CCRD-POSD" "Benzinăria Popas, pump {n}";
    Bus: "Transport Urban Aval" Card "4111" "transport" "PMNT-CCRD-POSD" "Transport Urban Aval, monthly pass {n}";
    Clothes: "Croitoria Fir" Card "5651" "shopping" "PMNT-CCRD-POSD" "Croitoria Fir, card purchase {n}";
    Hardware: "Depozitul Meșter" Card "5251" "home" "PMNT-CCRD-POSD" "Depozitul Meșter, card purchase {n}";
    Pets: "Coada Veselă" Card "5995" "home" "PMNT-CCRD-POSD" "Coada Veselă, card purchase {n}";
    Sports: "Clubul Sportiv Cuib" Card "7997" "leisure" "PMNT-CCRD-POSD" "Clubul Sportiv Cuib, children's course {n}";
    Appliances: "Casa Voltaj" Card "5732" "shopping" "PMNT-CCRD-POSD" "Casa Voltaj, order {n}";
    Stream: "Undele Video" Card "4899" "subscriptions" "PMNT-CCRD-POSD" "Undele Video, subscription {n}";
    Cloud: "Nimbus Depozit Online" Card "5817" "subscriptions" "PMNT-CCRD-POSD" "Nimbus, cloud storage {n}";
    Rail: "Drum Lung Rail" Card "4112" "travel" "PMNT-CCRD-POSD" "Drum Lung Rail, booking {n}";
    Lodging: "Pensiunea Luminiș" Card "7011" "travel" "PMNT-CCRD-POSD" "Pensiunea Luminiș, stay {n}";
    ShopRefund: "Croitoria Fir" Card "5651" "refunds" "PMNT-CCRD-RIMB" "Croitoria Fir, refund {n}";
    MarketRefund: "Codru Market" Card "5411" "refunds" "PMNT-CCRD-RIMB" "Codru Market, refund {n}";
    CashMachine: "XYZ Bank ATM" Cash "6011" "cash" "PMNT-CCRD-CWDL" "Cash withdrawal, machine {n}";
    DormRent: "Cămin Studențesc Aurora" Transfer - "rent" "PMNT-ICDT-STDO" "Dormitory, room rent";
    Landlord: "Imobiliare Teiul SRL" Transfer - "rent" "PMNT-ICDT-STDO" "Rent, apartment";
    Scholarship: "Universitatea Vest Deal" Transfer - "income" "PMNT-RCDT-ESCT" "Scholarship {n}";
    PartTime: "Atelier Hartie SRL" Transfer - "salary" "PMNT-RCDT-SALA" "Part-time salary {n}";
    SalaryOne: "Atelier Nord SRL" Transfer - "salary" "PMNT-RCDT-SALA" "Salary {n}";
    SalaryTwo: "Clinica Salcia SRL" Transfer - "salary" "PMNT-RCDT-SALA" "Salary {n}";
    Allowance: "Casa de Alocații" Transfer - "income" "PMNT-RCDT-ESCT" "Child allowance {n}";
    Nursery: "Grădinița Licurici" Transfer - "education" "PMNT-ICDT-ESCT" "Nursery fee {n}";
    Power: "Energia Lacului" Debit - "utilities" "PMNT-RDDT-ESDD" "Electricity, invoice {n}";
    Water: "Apele Văii" Debit - "utilities" "PMNT-RDDT-ESDD" "Water, invoice {n}";
    Phone: "Telefonia Zvon" Debit - "utilities" "PMNT-RDDT-ESDD" "Phone and internet, invoice {n}";
    Insurance: "Asigurări Scutul" Debit - "insurance" "PMNT-RDDT-ESDD" "Household insurance, policy {n}";
    ToSavings: "Savings account" Transfer - "savings" "PMNT-ICDT-BOOK" "Transfer to savings";
    FromCurrent: "Family account" Transfer - "savings" "PMNT-RCDT-BOOK" "Transfer from family account";
    ToHousehold: "Household account" Transfer - "transfers" "PMNT-ICDT-BOOK" "Household money";
    HolidayFund: "Fondul de Vacanță" Transfer - "savings" "PMNT-ICDT-ESCT" "Holiday fund {n}";
    Travel: "Agenția Zări" Transfer - "travel" "PMNT-ICDT-ESCT" "Summer holiday, contract {n}";
    EuroClient: "Nordlicht Studio GmbH" Transfer - "income" "PMNT-RCDT-ESCT" "Invoice {n}";
    Deposit: "Term deposit" Transfer - "savings" "PMNT-ICDT-BOOK" "Transfer to term deposit {n}";
    Fee: "XYZ Bank" Bank - "fees" "ACMT-MDOP-CHRG" "Account fee";
    CardFee: "XYZ Bank" Bank - "fees" "ACMT-MDOP-CHRG" "Card payment fees, statement {n}";
    Interest: "XYZ Bank" Bank - "interest" "ACMT-MCOP-INTR" "Interest";
    OverdraftInterest: "XYZ Bank" Bank - "fees" "ACMT-MDOP-INTR" "Overdraft interest";
    Till: "Card sales" Card "5943" "sales" "PMNT-MCRD-POSP" "Card sale, receipt {n}";
    WebShop: "Web shop" Card "5943" "sales" "PMNT-MCRD-POSP" "Web order {n}";
    CustomerTransfer: "Papetăria Colț SRL" Transfer - "sales" "PMNT-RCDT-ESCT" "Invoice {n}";
    CustomerReturn: "Web shop" Card "5943" "refunds" "PMNT-MCRD-RIMB" "Refund of web order {n}";
    Paper: "Moara de Hârtie SA" Transfer - "suppliers" "PMNT-ICDT-ESCT" "Paper stock, invoice {n}";
    Courier: "Curierul Iute SRL" Debit - "suppliers" "PMNT-RDDT-ESDD" "Deliveries, invoice {n}";
    Packaging: "Cutii și Sfori SRL" Transfer - "suppliers" "PMNT-ICDT-ESCT" "Packaging, invoice {n}";
    Premises: "Hala Veche Spații SRL" Transfer - "rent" "PMNT-ICDT-STDO" "Rent, workshop and shop";
    Payroll: "Payroll" Transfer - "payroll" "PMNT-ICDT-SALA" "Salary, employee {n}";
    Tax: "Trezoreria Orașului" Transfer - "taxes" "PMNT-ICDT-ESCT" "Taxes, declaration {n}";
}

/// Texts and codes of an entry: everything but its days, amount and balance.
pub struct EntryTexts {
    pub name: Option<&'static str>,
    pub iban: Option<String>,
    pub mcc: Option<&'static str>,
    pub category: &'static str,
    pub code: &'static str,
    pub remittance: String,
    pub end_to_end_id: Option<String>,
}

impl LedgerEntry {
    /// The entry's words; an entry of a payee that is not on the list has none.
    pub fn words(&self) -> Option<EntryTexts> {
        let facts = PAYEES.get(usize::try_from(self.payee).ok()?)?;
        let number = format!("{:06}", self.salt % 1_000_000);
        let transfer = matches!(facts.way, PaymentMeans::Transfer | PaymentMeans::Debit);
        Some(EntryTexts {
            name: (facts.way != PaymentMeans::Bank).then_some(facts.name),
            // One account each, at a bank that does not exist.
            iban: transfer.then(|| romanian("TEIU", 70_000 + self.payee)),
            mcc: facts.mcc,
            category: facts.category,
            code: facts.code,
            remittance: facts.text.replace("{n}", &number),
            end_to_end_id: transfer.then(|| format!("E2E{:09}", self.salt)),
        })
    }

    /// The bank's own id of the entry, the same while it is pending and once it is booked; unique within the bank.
    pub fn id(&self) -> String {
        format!(
            "{:03}-{}-{:03}",
            self.account,
            self.booking_day.date().format("%Y%m%d"),
            self.position
        )
    }
}
