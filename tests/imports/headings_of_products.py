"""Files with the header lines that other programs write, and what an import makes of one person in each.

The header lines are those of real exports (found in public tests, importers and documentation of these programs); the
people are made up. `FILES`: program → the header line, the values of the columns that are not blank, the fields of the
contact that they fill, the attributes, and how many columns nothing uses.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ProductFile:
    """A file with one person. `fields` are by column of the contact, besides the address; `attributes` by name."""

    header: str
    values: dict[str, str]
    fields: dict[str, str]
    attributes: dict[str, str] = field(default_factory=dict)
    unused: int

    @property
    def names(self) -> list[str]:
        return next(csv.reader([self.header]))

    @property
    def text(self) -> str:
        """The file: the header line, and the row of the person."""
        text = io.StringIO()
        row = [self.values.get(name, "") for name in self.names]
        csv.writer(text, lineterminator="\r\n").writerows([self.names, row])
        return text.getvalue()


ANN = {"first_name": "Ann", "last_name": "Lee"}
PLACE = {"address": "1 High Street", "city": "Bath", "state": "Avon", "zip": "BA1 1AA"}
WORK = {**PLACE, "company": "Acme", "phone": "+44 1"}

FILES: dict[str, ProductFile] = {
    "Mailchimp": ProductFile(
        header='"Email Address","First Name","Last Name",Address,"Phone Number",Birthday,MEMBER_RATING,'
        "OPTIN_TIME,OPTIN_IP,"
        "CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,"
        "LEID,EUID,NOTES,TAGS",
        values={
            "Email Address": "ann@example.org",
            "First Name": "Ann",
            "Last Name": "Lee",
            "Address": "1 High Street  Bath",
            "Phone Number": "+44 1",
            "REGION": "ENG",
        },
        fields={**ANN, "address": "1 High Street  Bath", "phone": "+44 1"},
        unused=18,
    ),
    "Constant Contact": ProductFile(
        header="First name,Last name,Company,Job title,Email address - other,Email status - other,"
        "Email permission status - other,Phone - home,Phone - mobile,Street address line 1 - Home,City - Home,"
        "State/Province - Home,Zip/Postal Code - Home,Country - Home,Website,Tags,Email Lists,Source Name,Created At,"
        "Updated At",
        values={
            "First name": "Ann",
            "Last name": "Lee",
            "Company": "Acme",
            "Email address - other": "ann@example.org",
            "Phone - mobile": "+44 1",
            "Street address line 1 - Home": "1 High Street",
            "City - Home": "Bath",
            "State/Province - Home": "Avon",
            "Zip/Postal Code - Home": "BA1 1AA",
        },
        fields={**ANN, **WORK},
        unused=9,
    ),
    "Constant Contact, the form for imports": ProductFile(
        header="Email Address,First Name,Last Name,Job Title,Company,Birthday,Anniversary,Home Address Line 1,"
        "Home Address Line 2,City,State / Province,Zip / Postal Code,Country,Phone Number - Home,Phone Number - Work",
        values={
            "Email Address": "ann@example.org",
            "First Name": "Ann",
            "Last Name": "Lee",
            "Company": "Acme",
            "Home Address Line 1": "1 High Street",
            "Home Address Line 2": "2nd floor",
            "City": "Bath",
            "State / Province": "Avon",
            "Zip / Postal Code": "BA1 1AA",
            "Phone Number - Work": "+44 1",
        },
        fields={**ANN, **WORK, "address2": "2nd floor"},
        unused=5,
    ),
    "Salesforce, report": ProductFile(
        header='"First Name","Last Name","Title","Account Name","Mailing Street","Mailing City",'
        '"Mailing State/Province",'
        '"Mailing Zip/Postal Code","Mailing Country","Phone","Fax","Mobile","Email"',
        values={
            "First Name": "Ann",
            "Last Name": "Lee",
            "Account Name": "Acme",
            "Mailing Street": "1 High Street",
            "Mailing City": "Bath",
            "Mailing State/Province": "Avon",
            "Mailing Zip/Postal Code": "BA1 1AA",
            "Phone": "+44 1",
            "Fax": "+44 2",
            "Mobile": "+44 3",
            "Email": "ann@example.org",
        },
        fields={**ANN, **WORK, "fax": "+44 2"},
        unused=3,
    ),
    "Salesforce, report of leads": ProductFile(
        header='"First Name","Last Name","Title","Company / Account","Street","City","State/Province",'
        '"Zip/Postal Code","Email","Lead Source"',
        values={
            "First Name": "Ann",
            "Last Name": "Lee",
            "Company / Account": "Acme",
            "Street": "1 High Street",
            "City": "Bath",
            "State/Province": "Avon",
            "Zip/Postal Code": "BA1 1AA",
            "Email": "ann@example.org",
        },
        fields={**ANN, **PLACE, "company": "Acme"},
        unused=2,
    ),
    "Salesforce, API names": ProductFile(
        header='"Id","FirstName","LastName","Name","MailingStreet","MailingCity","MailingState","MailingPostalCode",'
        '"MailingCountry","Phone","MobilePhone","Email","Title","Department"',
        values={
            "FirstName": "Ann",
            "LastName": "Lee",
            "Name": "Ann Lee",
            "MailingStreet": "1 High Street",
            "MailingCity": "Bath",
            "MailingState": "Avon",
            "MailingPostalCode": "BA1 1AA",
            "Phone": "+44 1",
            "Email": "ann@example.org",
        },
        fields={**ANN, **PLACE, "phone": "+44 1"},
        unused=6,
    ),
    "Outlook": ProductFile(
        header='"Title","First Name","Middle Name","Last Name","Suffix","Company","Department","Job Title",'
        '"Business Street","Business Street 2","Business Street 3","Business City","Business State",'
        '"Business Postal Code","Business Country/Region","Home Street","Home Street 2","Home Street 3","Home City",'
        '"Home State","Home Postal Code","Home Country/Region","Business Fax","Business Phone","Business Phone 2",'
        '"Home Phone","Mobile Phone","E-mail Address","E-mail Type","E-mail Display Name","E-mail 2 Address","Notes"',
        values={
            "First Name": "Ann",
            "Last Name": "Lee",
            "Company": "Acme",
            "Business Street": "1 High Street",
            "Business Street 2": "2nd floor",
            "Business City": "Bath",
            "Business State": "Avon",
            "Business Postal Code": "BA1 1AA",
            "Business Fax": "+44 2",
            "Business Phone": "+44 1",
            "Home City": "Wells",
            "E-mail Address": "ann@example.org",
            "E-mail 2 Address": "lee@example.org",
        },
        fields={**ANN, **WORK, "address2": "2nd floor", "fax": "+44 2"},
        unused=21,
    ),
    "Outlook, German": ProductFile(
        header='"Anrede","Vorname","Weitere Vornamen","Nachname","Suffix","Firma","Abteilung","Position",'
        '"Straße geschäftlich","Straße geschäftlich 2","Straße geschäftlich 3","Ort geschäftlich",'
        '"Region geschäftlich",'
        '"Postleitzahl geschäftlich","Land/Region geschäftlich","Straße privat","Ort privat",'
        '"Bundesland/Kanton privat",'
        '"Postleitzahl privat","Fax geschäftlich","Telefon geschäftlich","Telefon privat","Mobiltelefon",'
        '"E-Mail-Adresse","E-Mail-Typ","E-Mail: Angezeigter Name","E-Mail 2: Adresse"',
        values={
            "Vorname": "Ann",
            "Nachname": "Lee",
            "Firma": "Acme",
            "Straße geschäftlich": "1 High Street",
            "Ort geschäftlich": "Bath",
            "Region geschäftlich": "Avon",
            "Postleitzahl geschäftlich": "BA1 1AA",
            "Telefon geschäftlich": "+44 1",
            "E-Mail-Adresse": "ann@example.org",
        },
        fields={**ANN, **WORK},
        unused=16,
    ),
    "Outlook, French": ProductFile(
        header='"Titre","Prénom","Deuxième prénom","Nom","Suffixe","Société","Service","Rue (bureau)",'
        '"Rue (bureau) 2",'
        '"Ville (bureau)","Dép/Région (bureau)","Code postal (bureau)","Pays/Région (bureau)","Rue (domicile)",'
        '"Télécopie (bureau)","Téléphone (bureau)","Téléphone (domicile)","Tél. mobile","Adresse de messagerie",'
        '"Type de messagerie","Notes"',
        values={
            "Prénom": "Ann",
            "Nom": "Lee",
            "Société": "Acme",
            "Rue (bureau)": "1 High Street",
            "Ville (bureau)": "Bath",
            "Dép/Région (bureau)": "Avon",
            "Code postal (bureau)": "BA1 1AA",
            "Téléphone (bureau)": "+44 1",
            "Adresse de messagerie": "ann@example.org",
        },
        fields={**ANN, **WORK},
        unused=10,
    ),
    "Outlook, Spanish": ProductFile(
        header='"Tratamiento","Nombre","Segundo nombre","Apellidos","Sufijo","Organización","Departamento","Puesto",'
        '"Calle del trabajo","Ciudad de trabajo","Provincia o estado de trabajo","Código postal del trabajo",'
        '"País o región del trabajo","Fax del trabajo","Teléfono del trabajo","Teléfono móvil",'
        '"Dirección de correo electrónico","Dirección de correo electrónico 2","Notas"',
        values={
            "Nombre": "Ann",
            "Apellidos": "Lee",
            "Organización": "Acme",
            "Calle del trabajo": "1 High Street",
            "Ciudad de trabajo": "Bath",
            "Provincia o estado de trabajo": "Avon",
            "Código postal del trabajo": "BA1 1AA",
            "Teléfono del trabajo": "+44 1",
            "Dirección de correo electrónico": "ann@example.org",
        },
        fields={**ANN, **WORK},
        unused=9,
    ),
    "Google Contacts": ProductFile(
        header="First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,"
        "Phonetic Last Name,Name Prefix,"
        "Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,"
        "Birthday,Notes,Photo,"
        "Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,"
        "Address 1 - Label,Address 1 - Formatted,Address 1 - Street,Address 1 - City,Address 1 - PO Box,"
        "Address 1 - Region,Address 1 - Postal Code,Address 1 - Country,Address 1 - Extended Address",
        values={
            "First Name": "Ann",
            "Last Name": "Lee",
            "Organization Name": "Acme",
            "E-mail 1 - Value": "ann@example.org",
            "Phone 1 - Value": "+44 1",
            "Address 1 - Street": "1 High Street",
            "Address 1 - City": "Bath",
            "Address 1 - Region": "Avon",
            "Address 1 - Postal Code": "BA1 1AA",
        },
        fields={**ANN, **WORK},
        unused=22,
    ),
    "Google Contacts, old form": ProductFile(
        header="Name,Given Name,Additional Name,Family Name,Yomi Name,Group Membership,E-mail 1 - Type,"
        "E-mail 1 - Value,"
        "Phone 1 - Type,Phone 1 - Value,Organization 1 - Name,Organization 1 - Title",
        values={
            "Name": "Ann Lee",
            "Given Name": "Ann",
            "Family Name": "Lee",
            "E-mail 1 - Value": "ann@example.org",
            "Phone 1 - Value": "+44 1",
            "Organization 1 - Name": "Acme",
        },
        fields={**ANN, "phone": "+44 1", "company": "Acme"},
        unused=7,
    ),
    "listmonk": ProductFile(
        header="uuid,email,name,attributes,status,created_at,updated_at",
        values={"email": "ann@example.org", "name": "Ann Lee", "attributes": '{"city": "Bath"}', "status": "enabled"},
        fields={},
        attributes={"Name": "Ann Lee"},
        unused=4,
    ),
    "Ghost": ProductFile(
        header="id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,"
        "deleted_at,labels,"
        "tiers,gift_id",
        values={"email": "ann@example.org", "name": "Ann Lee", "subscribed_to_emails": "true"},
        fields={},
        attributes={"Name": "Ann Lee"},
        unused=9,
    ),
    "HubSpot": ProductFile(
        header="Record ID,First Name,Last Name,Email,Phone Number,Lead Status,Create Date,Associated Company,"
        "Street Address,City,State/Region,Postal Code,Country/Region,Contact owner",
        values={
            "First Name": "Ann",
            "Last Name": "Lee",
            "Email": "ann@example.org",
            "Phone Number": "+44 1",
            "Associated Company": "Acme",
            "Street Address": "1 High Street",
            "City": "Bath",
            "State/Region": "Avon",
            "Postal Code": "BA1 1AA",
        },
        fields={**ANN, **WORK},
        unused=5,
    ),
    "Klaviyo": ProductFile(
        header="Email,Klaviyo ID,First Name,Last Name,Organization,Title,Phone Number,Address,Address 2,City,"
        "State / Region,Country,Zip Code,Latitude,Longitude,Source,Email Marketing Consent,First Active,Last Active",
        values={
            "Email": "ann@example.org",
            "First Name": "Ann",
            "Last Name": "Lee",
            "Organization": "Acme",
            "Phone Number": "+44 1",
            "Address": "1 High Street",
            "Address 2": "2nd floor",
            "City": "Bath",
            "State / Region": "Avon",
            "Zip Code": "BA1 1AA",
            "Email Marketing Consent": "SUBSCRIBED",
        },
        fields={**ANN, **WORK, "address2": "2nd floor"},
        unused=8,
    ),
    "Campaign Monitor": ProductFile(
        header="Email Address,Name,Date Joined,State",
        values={"Email Address": "ann@example.org", "Name": "Ann Lee", "State": "Active"},
        fields={"state": "Active"},
        attributes={"Name": "Ann Lee"},
        unused=1,
    ),
    "Brevo, German": ProductFile(
        header="CONTACT ID,EMAIL,VORNAME,NACHNAME,SMS,ADDED_TIME",
        values={"EMAIL": "ann@example.org", "VORNAME": "Ann", "NACHNAME": "Lee", "SMS": "441"},
        fields=ANN,
        unused=3,
    ),
    "Brevo, French": ProductFile(
        header="CONTACT ID,EMAIL,PRENOM,NOM,SMS",
        values={"EMAIL": "ann@example.org", "PRENOM": "Ann", "NOM": "Lee"},
        fields=ANN,
        unused=2,
    ),
    "MailerLite": ProductFile(
        header="Email,Name,Last name,Company,Country,City,Phone,State,ZIP",
        values={"Email": "ann@example.org", "Name": "Ann", "Last name": "Lee", "City": "Bath"},
        fields={**ANN, "city": "Bath"},
        unused=1,
    ),
    "Mautic": ProductFile(
        header='"id","firstname","lastname","email","company","address1","address2","city","state",'
        '"zipcode","country","phone"',
        values={"firstname": "Ann", "lastname": "Lee", "email": "ann@example.org", "zipcode": "BA1 1AA"},
        fields={**ANN, "zip": "BA1 1AA"},
        unused=2,
    ),
    "Shopify": ProductFile(
        header="Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,"
        "Default Address Address1,Default Address Address2,Default Address City,Default Address Province Code,"
        "Default Address Country Code,Default Address Zip,Default Address Phone,Phone,"
        "Accepts SMS Marketing,Total Spent,"
        "Total Orders,Note,Tax Exempt,Tags",
        values={
            "First Name": "Ann",
            "Last Name": "Lee",
            "Email": "ann@example.org",
            "Accepts Email Marketing": "yes",
            "Default Address Address1": "1 High Street",
            "Default Address City": "Bath",
            "Default Address Province Code": "Avon",
            "Default Address Zip": "BA1 1AA",
            "Phone": "+44 1",
        },
        fields={**ANN, **PLACE, "phone": "+44 1"},
        unused=9,
    ),
    "KAddressBook": ProductFile(
        header="Formatted Name,Family Name,Given Name,Additional Names,Honorific Prefixes,Honorific Suffixes,Nick Name,"
        "Birthday,Home Address Street,Home Address City,Home Address Region,Home Address Post Code,"
        "Home Address Country,Business Address Street,Business Address City,Business Address Region,"
        "Business Address Post Code,Home Phone,Business Phone,Mobile Phone,Home Fax,Business Fax,Email Address,Title,"
        "Organisation,Note",
        values={
            "Family Name": "Lee",
            "Given Name": "Ann",
            "Business Address Street": "1 High Street",
            "Business Address City": "Bath",
            "Business Address Region": "Avon",
            "Business Address Post Code": "BA1 1AA",
            "Business Phone": "+44 1",
            "Email Address": "ann@example.org",
            "Organisation": "Acme",
        },
        fields={**ANN, **WORK},
        unused=16,
    ),
    "Thunderbird": ProductFile(
        header="First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email,Work Phone,Home Phone,"
        "Fax Number,Mobile Number,Home Address,Home Address 2,Home City,Home State,Home ZipCode,Home Country,"
        "Work Address,Work Address 2,Work City,Work State,Work ZipCode,Work Country,Job Title,Organization,Notes",
        values={
            "First Name": "Ann",
            "Last Name": "Lee",
            "Display Name": "Ann Lee",
            "Primary Email": "ann@example.org",
            "Work Phone": "+44 1",
            "Work Address": "1 High Street",
            "Work Address 2": "2nd floor",
            "Work City": "Bath",
            "Work State": "Avon",
            "Work ZipCode": "BA1 1AA",
            "Organization": "Acme",
        },
        fields={**ANN, **WORK, "address2": "2nd floor"},
        unused=14,
    ),
    "Wix": ProductFile(
        header="First Name,Last Name,Email 1,Phone 1,Address 1 - Type,Address 1 - Street,Address 1 - Street Line 2,"
        "Address 1 - City,Address 1 - State/Region,Address 1 - Zip,Address 1 - Country,Company,Labels,"
        "Email subscriber status,SMS subscriber status,Language",
        values={
            "First Name": "Ann",
            "Last Name": "Lee",
            "Email 1": "ann@example.org",
            "Phone 1": "+44 1",
            "Address 1 - Street": "1 High Street",
            "Address 1 - Street Line 2": "2nd floor",
            "Address 1 - City": "Bath",
            "Address 1 - State/Region": "Avon",
            "Address 1 - Zip": "BA1 1AA",
            "Company": "Acme",
            "Email subscriber status": "Subscribed",
        },
        fields={**ANN, **WORK, "address2": "2nd floor"},
        unused=5,
    ),
    "Pipedrive": ProductFile(
        header="Person - First name,Person - Last name,Person - Organization,Person - Phone - Work,"
        "Person - Email - Work,Person - Email - Home,Person - Marketing status",
        values={
            "Person - First name": "Ann",
            "Person - Last name": "Lee",
            "Person - Organization": "Acme",
            "Person - Phone - Work": "+44 1",
            "Person - Email - Work": "ann@example.org",
            "Person - Marketing status": "Subscribed",
        },
        fields={**ANN, "company": "Acme", "phone": "+44 1"},
        unused=1,
    ),
    "Magento": ProductFile(
        header='ID,Email,Type,"Customer First Name","Customer Last Name",Status,"Web Site",Store,"Store View"',
        values={
            "Email": "ann@example.org",
            "Customer First Name": "Ann",
            "Customer Last Name": "Lee",
            "Status": "Subscribed",
        },
        fields=ANN,
        unused=5,
    ),
    "a German table": ProductFile(
        header="Name,Vorname,Mail,PLZ,Ort,Straße,Telefon,Firma",
        values={"Name": "Lee", "Vorname": "Ann", "Mail": "ann@example.org", "PLZ": "12345", "Ort": "Bath"},
        fields={**ANN, "zip": "12345", "city": "Bath"},
        unused=0,
    ),
    "a Canadian table": ProductFile(
        header="Prénom,Nom,Adresse de courriel,Nom de la société",
        values={
            "Prénom": "Ann",
            "Nom": "Lee",
            "Adresse de courriel": "ann@example.org",
            "Nom de la société": "Acme",
        },
        fields={**ANN, "company": "Acme"},
        unused=0,
    ),
    "a Spanish table": ProductFile(
        header="Correo electrónico,Nombre completo,Teléfono,Código postal,Ciudad,Empresa",
        values={"Correo electrónico": "ann@example.org", "Nombre completo": "Ann Lee", "Empresa": "Acme"},
        fields={"company": "Acme"},
        attributes={"Name": "Ann Lee"},
        unused=0,
    ),
}
