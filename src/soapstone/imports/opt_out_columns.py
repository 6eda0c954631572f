"""The columns in which files of list products say that a contact gets no mail: one table."""

from __future__ import annotations

from soapstone.imports.opt_out_meanings import OptOutColumn, words

COLUMNS = (
    OptOutColumn(
        product="Soapstone",
        headings=("subscription",),
        ambiguous=True,
        words=words(subscribed=["subscribed"], waiting=["waiting"], left=["unsubscribed"]),
        source="src/soapstone/api/exports.py, docs/rest.md",
    ),
    OptOutColumn(
        product="Soapstone",
        headings=("suppression",),
        words=words(left=["suppressed on the list"], suppressed=["suppressed", "banned"]),
        source="src/soapstone/api/exports.py, docs/rest.md",
    ),
    OptOutColumn(
        product="listmonk",
        headings=("status",),
        ambiguous=True,
        # "blacklisted" counts as the same.
        words=words(subscribed=["enabled"], left=["disabled"], suppressed=["blocklisted", "blacklisted"]),
        source="github.com/knadh/listmonk cmd/subscribers.go (CSV heading), schema.sql (subscriber_status)",
    ),
    OptOutColumn(
        product="Ghost",
        headings=("subscribed_to_emails",),
        form="consent",
        source="github.com/TryGhost/Ghost core/server/services/members/exporter/query.js",
    ),
    OptOutColumn(
        product="Mailchimp",
        headings=("UNSUB_TIME",),
        form="time",
        source="github.com/TryGhost/migrate packages/mg-mailchimp-members (unsubscribed.csv)",
    ),
    OptOutColumn(
        product="Mailchimp",
        headings=("CLEAN_TIME",),
        form="time",
        yes="suppressed",
        source="github.com/TryGhost/migrate packages/mg-mailchimp-members (cleaned.csv)",
    ),
    OptOutColumn(
        product="Salesforce",
        headings=("HasOptedOutOfEmail", "PersonHasOptedOutOfEmail", "Email Opt Out"),
        form="flag",
        source="Salesforce API field HasOptedOutOfEmail (boolean), as public connectors read it",
    ),
    OptOutColumn(
        product="Salesforce",
        headings=("IsEmailBounced", "EmailBouncedDate", "PersonEmailBouncedDate", "Email Bounced Date"),
        form="flag",
        yes="suppressed",
        source="Salesforce API fields IsEmailBounced, EmailBouncedDate, as public connectors read them",
    ),
    OptOutColumn(
        product="Salesforce Marketing Cloud",
        headings=("Status",),
        ambiguous=True,
        words=words(subscribed=["Active"], left=["Unsubscribed", "Deleted"], suppressed=["Bounced", "Held"]),
        source="developer.salesforce.com/docs/marketing/marketing-cloud/guide/subscriberstatus.html",
    ),
    OptOutColumn(
        product="HubSpot",
        headings=("Unsubscribed from all email", "hs_email_optout"),
        form="flag",
        source="HubSpot contact property hs_email_optout, label and type bool (properties API, public fixtures)",
    ),
    OptOutColumn(
        product="Mautic",
        headings=("doNotEmail", "dnc", "Do not contact"),
        # Numbers are the reasons of DoNotContact; 1 and 0 also stand for yes and no.
        words=words(
            subscribed=["0", "no", "false"],
            left=["1", "3", "yes", "true", "unsubscribed", "manual", "manually unsubscribed"],
            suppressed=["2", "bounced"],
        ),
        source="github.com/mautic/mautic LeadBundle ImportContactSubscriber.php (doNotEmail), Entity/DoNotContact.php",
    ),
    OptOutColumn(
        product="Mautic",
        headings=("dnc_preferences", "DNC Preferences"),
        words=words(
            # Of another channel than e-mail.
            subscribed=[
                f"DNC {reason}: {channel}"
                for reason in ("Unsubscribed", "Bounced", "Manually Unsubscribed")
                for channel in ("SMS", "Text Message", "Notification", "Web Notification", "Mobile Notification")
            ],
            left=["DNC Unsubscribed: Email", "DNC Manually Unsubscribed: Email"],
            suppressed=["DNC Bounced: Email"],
        ),
        source="github.com/mautic/mautic LeadBundle Report (dnc_preferences) and its functional test",
    ),
    OptOutColumn(
        product="Constant Contact",
        headings=("Email status",),
        ambiguous=True,
        # Blank: the contact was never set for mailings.
        words=words(
            subscribed=["Active"],
            waiting=["Awaiting Confirmation"],
            left=["Unsubscribed", "No Permissions Set", "Not set", ""],
        ),
        source="community.constantcontact.com, Help understanding Email Status in exported contacts (m-p/410819)",
    ),
    OptOutColumn(
        product="Constant Contact",
        # A file with several addresses of a person has a status for each, blank if the address is missing.
        headings=("Email status - home", "Email status - other", "Email status - work"),
        ambiguous=True,
        words=words(
            subscribed=["Active"],
            waiting=["Awaiting Confirmation"],
            left=["Unsubscribed", "No Permissions Set", "Not set"],
        ),
        source="exports with the headings `Email address - other`, `Email status - other`; values as above",
    ),
    OptOutColumn(
        product="Constant Contact",
        headings=(
            "Email permission status",
            "Email permission status - home",
            "Email permission status - other",
            "Email permission status - work",
        ),
        ambiguous=True,
        words=words(
            subscribed=["Express", "Explicit", "Implied", "Implicit"],
            waiting=["Awaiting Confirmation", "Pending confirmation"],
            left=["Unsubscribed", "Temporary hold", "Temp hold", "No Permissions Set", "Not set"],
        ),
        source="exports with this heading; Constant Contact API v3, contact field permission_to_send",
    ),
    OptOutColumn(
        product="Constant Contact Lead Gen & CRM",
        headings=("Is Unsubscribed",),
        form="flag",
        source="knowledgebase.constantcontact.com, Formatting CSV files for import (article 50260)",
    ),
    OptOutColumn(
        product="Brevo",
        headings=("EMAIL_BLACKLISTED", "EMAIL_BLOCKLISTED", "BLACKLISTED", "BLOCKLISTED"),
        form="flag",
        yes="suppressed",
        source="developers.brevo.com/reference (contact field emailBlacklisted)",
    ),
    OptOutColumn(
        product="MailerLite",
        headings=("Status",),
        ambiguous=True,
        words=words(
            subscribed=["Active"], waiting=["Unconfirmed"], left=["Unsubscribed"], suppressed=["Bounced", "Junk"]
        ),
        source="www.mailerlite.com/help/subscriber-statuses-explained",
    ),
    OptOutColumn(
        product="ActiveCampaign",
        headings=("Status",),
        ambiguous=True,
        words=words(subscribed=["Active"], waiting=["Unconfirmed"], left=["Unsubscribed"], suppressed=["Bounced"]),
        source="help.activecampaign.com/hc/en-us/articles/221073788",
    ),
    OptOutColumn(
        product="Kit (ConvertKit)",
        headings=("state", "status"),
        ambiguous=True,
        # "inactive" is a subscriber who has not confirmed.
        words=words(
            subscribed=["active"],
            waiting=["inactive"],
            left=["cancelled", "canceled"],
            suppressed=["bounced", "complained"],
        ),
        source="Kit API, subscriber `state` (schema of Create a subscriber)",
    ),
    OptOutColumn(
        product="Campaign Monitor",
        headings=("State",),
        ambiguous=True,
        words=words(
            subscribed=["Active"], waiting=["Unconfirmed"], left=["Unsubscribed", "Deleted"], suppressed=["Bounced"]
        ),
        source="docs.zynk.com Campaign Monitor export",
    ),
    OptOutColumn(
        product="Klaviyo",
        headings=("Email Marketing Consent",),
        words=words(
            subscribed=["SUBSCRIBED", "Subscribe"], left=["UNSUBSCRIBED", "NEVER_SUBSCRIBED"], suppressed=["SUPPRESSED"]
        ),
        source="Klaviyo profile export (Email Marketing Consent); API profile consent enum",
    ),
    OptOutColumn(
        product="Substack",
        headings=("email_disabled",),
        form="flag",
        source="github.com/TryGhost/migrate packages/mg-substack-members-csv",
    ),
    OptOutColumn(
        product="Shopify",
        headings=("Accepts Email Marketing", "Accepts Marketing"),
        form="consent",
        source="Shopify customer CSV (Accepts Email Marketing: yes, no)",
    ),
    OptOutColumn(
        product="Mailchimp",
        headings=("status",),
        form="words",
        ambiguous=True,
        words=words(
            subscribed=["subscribed"],
            waiting=["pending"],
            left=["unsubscribed", "archived", "transactional"],
            suppressed=["cleaned"],
        ),
        source="Mailchimp Marketing API, list member `status`, as connectors write it",
    ),
    OptOutColumn(
        product="Mailtrain",
        headings=("status",),
        form="words",
        ambiguous=True,
        words=words(subscribed=["subscribed"], left=["unsubscribed"], suppressed=["bounced", "complained"]),
        source="github.com/Mailtrain-org/mailtrain server/routes/subscriptions.js",
    ),
    OptOutColumn(
        product="MailPoet",
        headings=("List status", "Global status"),
        form="words",
        ambiguous=True,
        # "inactive" is a subscriber who has opened nothing for long.
        words=words(
            subscribed=["subscribed", "inactive"],
            waiting=["unconfirmed"],
            left=["unsubscribed"],
            suppressed=["bounced"],
        ),
        source="github.com/mailpoet/mailpoet lib/Subscribers/ImportExport/ImportExportFactory.php",
    ),
    OptOutColumn(
        product="phpList",
        # Older versions write "user".
        headings=("Is this subscriber blacklisted", "Is this user blacklisted"),
        form="flag",
        yes="suppressed",
        source="github.com/phpList/phplist3 public_html/lists/admin/structure.php, actions/export.php",
    ),
    OptOutColumn(
        product="phpList",
        headings=("Is this account disabled?",),
        form="flag",
        source="as above",
    ),
    OptOutColumn(
        product="phpList",
        headings=("Is this subscriber confirmed", "Is this user confirmed"),
        form="consent",
        yes="waiting",
        source="as above",
    ),
    OptOutColumn(
        product="CiviCRM",
        headings=("No Bulk Emails (User Opt Out)",),
        form="flag",
        source="github.com/civicrm/civicrm-core schema/Contact/Contact.entityType.php (is_opt_out)",
    ),
    OptOutColumn(
        product="CiviCRM",
        headings=("On Hold",),
        ambiguous=True,
        words=words(subscribed=["No"], left=["On Hold Opt Out"], suppressed=["On Hold Bounce"]),
        source="github.com/civicrm/civicrm-core CRM/Core/PseudoConstant.php (emailOnHoldOptions)",
    ),
    OptOutColumn(
        product="CiviCRM",
        headings=("Email On Hold",),
        words=words(subscribed=["No", "0"], left=["On Hold Opt Out", "2"], suppressed=["On Hold Bounce", "1"]),
        source="as above, with the numbers of its API",
    ),
    OptOutColumn(
        product="Odoo",
        headings=("Blacklist",),
        form="flag",
        yes="suppressed",
        source="github.com/odoo/odoo addons/mail/models/mail_thread_blacklist.py (is_blacklisted)",
    ),
    OptOutColumn(
        product="EspoCRM",
        headings=("emailAddressIsOptedOut",),
        form="flag",
        source="github.com/espocrm/espocrm application/Espo/Tools/Export/Format/Csv/Processor.php",
    ),
    OptOutColumn(
        product="EspoCRM",
        headings=("emailAddressIsInvalid",),
        form="flag",
        yes="suppressed",
        source="as above",
    ),
    OptOutColumn(
        product="Microsoft Dynamics 365",
        headings=("Do not allow Bulk Emails", "Do not allow Emails", "DoNotBulkEMail", "DoNotEMail"),
        form="words",
        words=words(subscribed=["Allow", "No", "false", "0"], left=["Do Not Allow", "Yes", "true", "1"]),
        source="learn.microsoft.com/power-apps/developer/data-platform/reference/entities/contact",
    ),
    OptOutColumn(
        product="MailUp",
        headings=("OptOut_Date",),
        form="time",
        source="help.mailup.com, Export of unsubscribed recipients (page 37978139)",
    ),
    OptOutColumn(
        product="Magento",
        headings=("Status",),
        ambiguous=True,
        words=words(subscribed=["Subscribed"], waiting=["Not Activated", "Unconfirmed"], left=["Unsubscribed"]),
        source="github.com/magento/magento2 Newsletter/view/adminhtml/layout/newsletter_subscriber_block.xml",
    ),
    OptOutColumn(
        product="Wix",
        headings=("Email subscriber status",),
        words=words(subscribed=["Subscribed"], waiting=["Pending"], left=["Unsubscribed", "Never subscribed"]),
        source="exports with this heading, as public importers of Wix's contacts read them",
    ),
    OptOutColumn(
        product="Pipedrive",
        headings=("Person - Marketing status",),
        words=words(subscribed=["Subscribed"], left=["Unsubscribed", "No consent", "Archived"], suppressed=["Bounced"]),
        source="field marketing_status of a person, as public clients of its API name it; not seen in a file",
    ),
    OptOutColumn(
        product="Google Groups",
        headings=("Group status",),
        ambiguous=True,
        words=words(subscribed=["member", "manager", "owner"], waiting=["invited", "pending"], left=["banned"]),
        source="exports `Email address,Nickname,Group status`, as public importers read them",
    ),
    OptOutColumn(
        product="Google Groups",
        headings=("Email preference",),
        ambiguous=True,
        words=words(subscribed=["All email", "Each email", "Digest", "Abridged"], left=["No email"]),
        source="the choices of its member pages; not seen in a file",
    ),
    OptOutColumn(
        product="Keila",
        headings=("Status",),
        ambiguous=True,
        words=words(subscribed=["active"], left=["unsubscribed"], suppressed=["unreachable"]),
        source="github.com/pentacent/keila lib/keila_web/helpers/contacts_csv_export.ex, contacts/schemas/contact.ex",
    ),
    OptOutColumn(
        product="Shopware",
        headings=("status",),
        ambiguous=True,
        # "notSet" is a recipient who was asked to confirm; "direct" one who had not to.
        words=words(subscribed=["direct", "optIn"], waiting=["notSet"], left=["optOut"]),
        source="github.com/shopware/shopware Content/Newsletter/SalesChannel/NewsletterSubscribeRoute.php",
    ),
    OptOutColumn(
        product="Cordial",
        headings=("channels.email.subscribeStatus",),
        words=words(subscribed=["subscribed"], left=["unsubscribed", "none"]),
        source="support.cordial.com, How do I load a list of unsubscribed contacts (article 220318527)",
    ),
    OptOutColumn(
        product="Moodle",
        headings=("emailstop",),
        form="flag",
        source="Moodle lib/classes/user.php (emailstop), as its web service and its file of users name it",
    ),
    # beehiiv, Mailcoach and many others (github.com/TryGhost/migrate packages/mg-beehiiv-members).
    OptOutColumn(
        product="any",
        headings=(
            "unsubscribed_at",
            "unsubscribed_on",
            "unsubscribed_date",
            "unsubscribe_date",
            "unsubscription_date",
            "unsubscribe_time",
            "date_unsubscribed",
            "opted_out_at",
            "opt_out_at",
            "opt_out_time",
            "opt_out_date",
            "opt_out_datetime",
        ),
        form="time",
        source="the heading says it; Odoo's mailing subscriptions (unsubscription_date, opt_out_datetime)",
    ),
    OptOutColumn(
        product="any",
        headings=("bounced_at", "cleaned_at", "complained_at", "blocklisted_at", "blacklisted_at", "suppressed_at"),
        form="time",
        yes="suppressed",
        source="the heading says it",
    ),
    OptOutColumn(
        product="any",
        headings=(
            "unsubscribed",
            "is_unsubscribed",
            "opt_out",
            "opted_out",
            "is_opt_out",
            "is_opted_out",
            "email_opt_out",
            "email_opted_out",
            "opt_out_email",
            "opted_out_of_email",
            "has_opted_out",
            "do_not_contact_by_email",
            "no_email",
            "unsubscribed_from_emails",
            "marketing_suspended",
        ),
        form="flag",
        source="the heading says it; Intercom's API and exports, Marketo's fields of a lead",
    ),
    OptOutColumn(
        product="any",
        headings=("do_not_mail", "no_mail"),
        form="flag",
        letters=True,
        source="the heading says it; letters: github.com/civicrm/civicrm-core Contact.entityType.php (do_not_mail)",
    ),
    OptOutColumn(
        product="any",
        headings=(
            *("bounced", "hard_bounced", "has_hard_bounced", "invalid_email", "email_invalid", "complained"),
            *("marked_email_as_spam", "suppressed", "is_blocklisted", "is_blacklisted", "black_listed", "banned"),
        ),
        form="flag",
        yes="suppressed",
        source="the heading says it; SuiteCRM (ProspectList.php), Intercom, Marketo",
    ),
    OptOutColumn(
        product="any",
        headings=("subscribed", "is_subscribed", "opt_in", "opted_in", "email_opt_in", "email_consent"),
        form="consent",
        source="the heading says it",
    ),
    OptOutColumn(
        product="any",
        headings=("subscription_status", "subscriber_status", "email_subscription_status"),
        words=words(
            subscribed=["subscribed", "active", "confirmed", "enabled"],
            waiting=["unconfirmed", "pending", "waiting"],
            left=["unsubscribed", "opted out", "disabled", "inactive", "cancelled"],
            suppressed=["cleaned", "bounced", "complained", "blocklisted", "blacklisted", "suppressed", "banned"],
        ),
        source="the heading says it; the values are those of the products above and of Mailchimp's API",
    ),
)
