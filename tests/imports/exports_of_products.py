"""Files as other products write them, made up after their documented form, and who of them may be mailed.

`FILES`: product → the file, and what becomes of each person: subscribed, unsubscribed, waiting or suppressed.
"""

from __future__ import annotations

MAILCHIMP = "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,GMTOFF,CC,"

FILES: dict[str, tuple[str, dict[str, str]]] = {
    "listmonk": (
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        '5d5b0f5c-0000-4000-8000-000000000001,on@listmonk.test,Ann,"{""city"": ""Rome""}",enabled,'
        "2023-01-02 15:04:05.999999 +0000 UTC,2023-01-02 15:04:05.999999 +0000 UTC\n"
        "5d5b0f5c-0000-4000-8000-000000000002,blocked@listmonk.test,Bob,{},blocklisted,"
        "2023-01-02 15:04:05 +0000 UTC,2023-03-02 15:04:05 +0000 UTC\n"
        "5d5b0f5c-0000-4000-8000-000000000003,off@listmonk.test,Cem,{},disabled,"
        "2023-01-02 15:04:05 +0000 UTC,2023-03-02 15:04:05 +0000 UTC\n",
        {
            "on@listmonk.test": "subscribed",
            "blocked@listmonk.test": "suppressed",
            "off@listmonk.test": "unsubscribed",
        },
    ),
    "Ghost": (
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n"
        "1,in@ghost.test,Ann,,true,false,,2022-10-18T06:34:08.000Z,,,\n"
        "2,out@ghost.test,Bob,,false,false,,2022-10-18T06:34:08.000Z,,VIP,\n",
        {"in@ghost.test": "subscribed", "out@ghost.test": "unsubscribed"},
    ),
    "Mailchimp, unsubscribed": (
        MAILCHIMP
        + "REGION,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER,LEID,"
        "EUID,NOTES,TAGS\n"
        'gone@mailchimp.test,Ann,Lee,2,"2022-04-05 10:11:12",192.0.2.1,"2022-04-05 10:11:12",192.0.2.1,,,,'
        '"2024-02-29 13:05:07","News","abc","NORMAL",,1,e1,,\n'.replace('"abc","NORMAL"', "abc,NORMAL"),
        {"gone@mailchimp.test": "unsubscribed"},
    ),
    "Mailchimp, cleaned": (
        MAILCHIMP + "REGION,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID,LEID,EUID,NOTES,TAGS\n"
        'dead@mailchimp.test,Bob,Ray,2,"2022-04-05 10:11:12",192.0.2.1,"2022-04-05 10:11:12",192.0.2.1,,,,'
        '"2024-02-29 13:05:07",News,abc,2,e2,,\n',
        {"dead@mailchimp.test": "suppressed"},
    ),
    "Mailchimp, subscribed": (
        MAILCHIMP + "REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS\n"
        'here@mailchimp.test,Cem,Ray,2,"2022-04-05 10:11:12",192.0.2.1,"2022-04-05 10:11:12",192.0.2.1,,,,'
        '"2024-02-29 13:05:07",3,e3,,"""vip"""\n',
        {"here@mailchimp.test": "subscribed"},
    ),
    "Salesforce": (
        '"Id","FirstName","LastName","Email","HasOptedOutOfEmail","EmailBouncedDate"\n'
        '"0038000000abc01","Ann","Lee","in@salesforce.test","false",""\n'
        '"0038000000abc02","Bob","Ray","out@salesforce.test","true",""\n'
        '"0038000000abc03","Cem","Ray","dead@salesforce.test","0","2024-02-29T13:05:07.000Z"\n',
        {
            "in@salesforce.test": "subscribed",
            "out@salesforce.test": "unsubscribed",
            "dead@salesforce.test": "suppressed",
        },
    ),
    "Salesforce, report": (
        '"First Name","Last Name","Email","Email Opt Out"\n"Ann","Lee","in@report.test","0"\n'
        '"Bob","Ray","out@report.test","1"\n',
        {"in@report.test": "subscribed", "out@report.test": "unsubscribed"},
    ),
    "HubSpot": (
        "Record ID,First Name,Last Name,Email,Unsubscribed from all email\n1,Ann,Lee,in@hubspot.test,\n"
        "2,Bob,Ray,out@hubspot.test,true\n3,Cem,Ray,stays@hubspot.test,No\n",
        {"in@hubspot.test": "subscribed", "out@hubspot.test": "unsubscribed", "stays@hubspot.test": "subscribed"},
    ),
    "Mautic": (
        '"id","firstname","lastname","email","dnc"\n"1","Ann","Lee","in@mautic.test","0"\n'
        '"2","Bob","Ray","out@mautic.test","1"\n"3","Cem","Ray","dead@mautic.test","2"\n"4","Di","Ray","by@mautic.test","3"\n',
        {
            "in@mautic.test": "subscribed",
            "out@mautic.test": "unsubscribed",
            "dead@mautic.test": "suppressed",
            "by@mautic.test": "unsubscribed",
        },
    ),
    "Mautic, report": (
        '"Email","DNC Preferences"\n"in@dnc.test",""\n"out@dnc.test","DNC Unsubscribed: Email"\n'
        '"dead@dnc.test","DNC Unsubscribed: Text Message, DNC Bounced: Email"\n'
        '"sms@dnc.test","DNC Unsubscribed: SMS"\n',
        {
            "in@dnc.test": "subscribed",
            "out@dnc.test": "unsubscribed",
            "dead@dnc.test": "suppressed",
            "sms@dnc.test": "subscribed",
        },
    ),
    "Constant Contact": (
        "Email address,First name,Last name,Email status\nin@constant.test,Ann,Lee,Active\n"
        "out@constant.test,Bob,Ray,Unsubscribed\nwaits@constant.test,Cem,Ray,Awaiting Confirmation\n"
        "unset@constant.test,Di,Ray,No Permissions Set\nblank@constant.test,Ed,Ray,\n",
        {
            "in@constant.test": "subscribed",
            "out@constant.test": "unsubscribed",
            "waits@constant.test": "waiting",
            "unset@constant.test": "unsubscribed",
            "blank@constant.test": "unsubscribed",
        },
    ),
    "Brevo": (
        "CONTACT ID,EMAIL,FIRSTNAME,LASTNAME,EMAIL_BLACKLISTED,ADDED_TIME\n1,in@brevo.test,Ann,Lee,No,29-02-2024\n"
        "2,out@brevo.test,Bob,Ray,Yes,29-02-2024\n",
        {"in@brevo.test": "subscribed", "out@brevo.test": "suppressed"},
    ),
    "MailerLite": (
        "Email,Name,Status\nin@mailerlite.test,Ann,Active\nout@mailerlite.test,Bob,Unsubscribed\n"
        "waits@mailerlite.test,Cem,Unconfirmed\ndead@mailerlite.test,Di,Bounced\njunk@mailerlite.test,Ed,Junk\n",
        {
            "in@mailerlite.test": "subscribed",
            "out@mailerlite.test": "unsubscribed",
            "waits@mailerlite.test": "waiting",
            "dead@mailerlite.test": "suppressed",
            "junk@mailerlite.test": "suppressed",
        },
    ),
    "ActiveCampaign": (
        "Email,First Name,Last Name,Tags,Status\nin@active.test,Ann,Lee,,Active\n"
        "out@active.test,Bob,Ray,,UNSUBSCRIBED\n"
        "dead@active.test,Cem,Ray,,Bounced\nwaits@active.test,Di,Ray,, unconfirmed \n",
        {
            "in@active.test": "subscribed",
            "out@active.test": "unsubscribed",
            "dead@active.test": "suppressed",
            "waits@active.test": "waiting",
        },
    ),
    "Kit": (
        "id,first_name,email,state,created_at\n1,Ann,in@kit.test,active,2024-01-01\n"
        "2,Bob,out@kit.test,cancelled,2024-01-01\n3,Cem,spam@kit.test,complained,2024-01-01\n"
        "4,Di,waits@kit.test,inactive,2024-01-01\n",
        {
            "in@kit.test": "subscribed",
            "out@kit.test": "unsubscribed",
            "spam@kit.test": "suppressed",
            "waits@kit.test": "waiting",
        },
    ),
    "Campaign Monitor": (
        "Email,Name,State\nin@monitor.test,Ann,Active\nout@monitor.test,Bob,Unsubscribed\ngone@monitor.test,Cem,Deleted\n"
        "dead@monitor.test,Di,Bounced\n",
        {
            "in@monitor.test": "subscribed",
            "out@monitor.test": "unsubscribed",
            "gone@monitor.test": "unsubscribed",
            "dead@monitor.test": "suppressed",
        },
    ),
    "Klaviyo": (
        "Email,First Name,Email Marketing Consent,Email Marketing Consent Timestamp\n"
        "in@klaviyo.test,Ann,SUBSCRIBED,2024-01-01 00:00:00\nout@klaviyo.test,Bob,UNSUBSCRIBED,\n"
        "never@klaviyo.test,Cem,NEVER_SUBSCRIBED,\n",
        {
            "in@klaviyo.test": "subscribed",
            "out@klaviyo.test": "unsubscribed",
            "never@klaviyo.test": "unsubscribed",
        },
    ),
    "Substack": (
        "email,active_subscription,expiry,email_disabled,prefer_digests,created_at\n"
        "in@substack.test,false,,false,false,2021-07-09T07:44:59.299Z\n"
        "out@substack.test,false,,true,false,2021-07-09T07:44:59.299Z\n",
        {"in@substack.test": "subscribed", "out@substack.test": "unsubscribed"},
    ),
    "beehiiv": (
        "email,First Name,status,created_at,unsubscribed_at\nin@beehiiv.test,Ann,active,2024-01-01 00:00:00,\n"
        "out@beehiiv.test,Bob,inactive,2024-01-01 00:00:00,2024-02-29 13:05:07\n",
        {"in@beehiiv.test": "subscribed", "out@beehiiv.test": "unsubscribed"},
    ),
    "Mailchimp, API": (
        "id,email_address,status\n1,in@mcapi.test,subscribed\n2,out@mcapi.test,unsubscribed\n"
        "3,dead@mcapi.test,cleaned\n4,waits@mcapi.test,pending\n5,old@mcapi.test,archived\n",
        {
            "in@mcapi.test": "subscribed",
            "out@mcapi.test": "unsubscribed",
            "dead@mcapi.test": "suppressed",
            "waits@mcapi.test": "waiting",
            "old@mcapi.test": "unsubscribed",
        },
    ),
    "Mailtrain": (
        "cid,status,HASH_EMAIL,EMAIL,MERGE_FIRST_NAME\nS1x,subscribed,q1,in@mailtrain.test,Ann\n"
        "S2x,unsubscribed,q2,out@mailtrain.test,Bob\nS3x,bounced,q3,dead@mailtrain.test,Cem\n"
        "S4x,complained,q4,angry@mailtrain.test,Di\n",
        {
            "in@mailtrain.test": "subscribed",
            "out@mailtrain.test": "unsubscribed",
            "dead@mailtrain.test": "suppressed",
            "angry@mailtrain.test": "suppressed",
        },
    ),
    "MailPoet": (
        '\ufeff"Email","First name","Last name","List status","Global status","List"\n'
        '"in@mailpoet.test","Ann","Lee","subscribed","subscribed","News"\n'
        '"list@mailpoet.test","Bob","Ray","unsubscribed","subscribed","News"\n'
        '"all@mailpoet.test","Cem","Ray","subscribed","unsubscribed","News"\n'
        '"waits@mailpoet.test","Di","Ray","subscribed","unconfirmed","News"\n'
        '"dead@mailpoet.test","Ed","Ray","subscribed","bounced","News"\n'
        '"idle@mailpoet.test","Flo","Ray","subscribed","inactive","News"\n'
        # A quote within a value is written as \\".
        '"quoted@mailpoet.test","Guy \\"G\\", Jr","Ray","unsubscribed","subscribed","News"\n',
        {
            "in@mailpoet.test": "subscribed",
            "list@mailpoet.test": "unsubscribed",
            "all@mailpoet.test": "unsubscribed",
            "waits@mailpoet.test": "waiting",
            "dead@mailpoet.test": "suppressed",
            "idle@mailpoet.test": "subscribed",
            "quoted@mailpoet.test": "unsubscribed",
        },
    ),
    "phpList": (
        "id\tEmail\tIs this subscriber confirmed\tIs this subscriber blacklisted\tNumber of bounces\t"
        "Is this account disabled?\tList Membership\n"
        "1\tin@phplist.test\t1\t0\t0\t0\tNews \n2\twaits@phplist.test\t0\t0\t0\t0\tNews \n"
        "3\tblocked@phplist.test\t1\t1\t3\t0\tNews \n4\toff@phplist.test\t1\t0\t0\t1\tNo Lists\n",
        {
            "in@phplist.test": "subscribed",
            "waits@phplist.test": "waiting",
            "blocked@phplist.test": "suppressed",
            "off@phplist.test": "unsubscribed",
        },
    ),
    "phpList, older versions": (
        "id\tEmail\tIs this user confirmed\tIs this user blacklisted\tIs this account disabled?\tList Membership\n"
        "1\tin@oldphplist.test\t1\t0\t0\tNews \n2\twaits@oldphplist.test\t0\t0\t0\tNews \n"
        "3\tblocked@oldphplist.test\t1\t1\t0\tNews \n4\toff@oldphplist.test\t1\t0\t1\tNo Lists\n",
        {
            "in@oldphplist.test": "subscribed",
            "waits@oldphplist.test": "waiting",
            "blocked@oldphplist.test": "suppressed",
            "off@oldphplist.test": "unsubscribed",
        },
    ),
    "CiviCRM": (
        '"Contact ID","First Name","Email","Do Not Email","Do Not Phone","Do Not Mail","No Bulk Emails (User Opt Out)",'
        '"On Hold"\n"1","Ann","in@civicrm.test","0","0","0","0","No"\n'
        '"2","Bob","out@civicrm.test","0","0","0","1","No"\n"3","Cem","none@civicrm.test","1","0","0","0","No"\n'
        '"4","Di","dead@civicrm.test","0","0","0","0","On Hold Bounce"\n'
        '"5","Ed","left@civicrm.test","0","0","0","0","On Hold Opt Out"\n'
        '"6","Flo","no-letters@civicrm.test","0","1","1","0","No"\n',
        {
            "in@civicrm.test": "subscribed",
            "out@civicrm.test": "unsubscribed",
            "none@civicrm.test": "unsubscribed",
            "dead@civicrm.test": "suppressed",
            "left@civicrm.test": "unsubscribed",
            "no-letters@civicrm.test": "subscribed",
        },
    ),
    "Odoo": (
        '"Email","Name","Blacklist","Opt Out"\n"in@odoo.test","Ann Lee","False","False"\n'
        '"blocked@odoo.test","Bob Ray","True","False"\n"out@odoo.test","Cem Ray","False","True"\n',
        {"in@odoo.test": "subscribed", "blocked@odoo.test": "suppressed", "out@odoo.test": "unsubscribed"},
    ),
    "EspoCRM": (
        "firstName,lastName,emailAddress,emailAddressIsOptedOut,emailAddressIsInvalid\nAnn,Lee,in@espo.test,0,0\n"
        "Bob,Ray,out@espo.test,1,0\nCem,Ray,dead@espo.test,0,1\n",
        {"in@espo.test": "subscribed", "out@espo.test": "unsubscribed", "dead@espo.test": "suppressed"},
    ),
    "Microsoft Dynamics 365": (
        "First Name,Last Name,Email,Do not allow Emails,Do not allow Bulk Emails\nAnn,Lee,in@dynamics.test,Allow,"
        "Allow\nBob,Ray,out@dynamics.test,Do Not Allow,Allow\nCem,Ray,bulk@dynamics.test,Allow,Do Not Allow\n",
        {"in@dynamics.test": "subscribed", "out@dynamics.test": "unsubscribed", "bulk@dynamics.test": "unsubscribed"},
    ),
    "CiviCRM, numbers": (
        '"First Name","Email","Email On Hold"\n"Ann","in@civinumbers.test","0"\n"Bob","dead@civinumbers.test","1"\n'
        '"Cem","out@civinumbers.test","2"\n',
        {
            "in@civinumbers.test": "subscribed",
            "dead@civinumbers.test": "suppressed",
            "out@civinumbers.test": "unsubscribed",
        },
    ),
    "Magento": (
        'ID,Email,Type,"Customer First Name","Customer Last Name",Status,"Web Site",Store,"Store View"\n'
        "1,in@magento.test,Customer,Ann,Lee,Subscribed,Main,Main,Default\n"
        "2,waits@magento.test,Guest,Bob,Ray,Not Activated,Main,Main,Default\n"
        "3,out@magento.test,Guest,Cem,Ray,Unsubscribed,Main,Main,Default\n"
        "4,also-waits@magento.test,Guest,Di,Ray,Unconfirmed,Main,Main,Default\n",
        {
            "in@magento.test": "subscribed",
            "waits@magento.test": "waiting",
            "out@magento.test": "unsubscribed",
            "also-waits@magento.test": "waiting",
        },
    ),
    "Wix": (
        "First Name,Last Name,Email 1,Email subscriber status,SMS subscriber status\n"
        "Ann,Lee,in@wix.test,Subscribed,Never subscribed\nBob,Ray,out@wix.test,Unsubscribed,\n"
        "Cem,Ray,never@wix.test,Never subscribed,\n",
        {"in@wix.test": "subscribed", "out@wix.test": "unsubscribed", "never@wix.test": "unsubscribed"},
    ),
    "Pipedrive": (
        "Person - Name,Person - Email - Work,Person - Marketing status\nAnn Lee,in@pipedrive.test,Subscribed\n"
        "Bob Ray,out@pipedrive.test,Unsubscribed\nCem Ray,never@pipedrive.test,No consent\n"
        "Di Ray,dead@pipedrive.test,Bounced\n",
        {
            "in@pipedrive.test": "subscribed",
            "out@pipedrive.test": "unsubscribed",
            "never@pipedrive.test": "unsubscribed",
            "dead@pipedrive.test": "suppressed",
        },
    ),
    "Google Groups": (
        "Email address,Nickname,Group status,Email status,Email preference,Posting permissions\n"
        "in@groups.test,Ann,Owner,,All email,Allowed\nquiet@groups.test,Bob,Member,,No email,Allowed\n"
        "asks@groups.test,Cem,Pending,,All email,Allowed\n",
        {"in@groups.test": "subscribed", "quiet@groups.test": "unsubscribed", "asks@groups.test": "waiting"},
    ),
    "SuiteCRM, target list": (
        '"First Name","Last Name","Primary Email Address","Invalid Email","Opt Out"\r\n'
        '"Ann","Lee","in@suite.test","0","0"\r\n"Bob","Ray","out@suite.test","0","1"\r\n'
        '"Cem","Ray","dead@suite.test","1","0"\r\n',
        {"in@suite.test": "subscribed", "out@suite.test": "unsubscribed", "dead@suite.test": "suppressed"},
    ),
    "Intercom": (
        "name,email,unsubscribed_from_emails,marked_email_as_spam,has_hard_bounced\nAnn,in@intercom.test,false,false,"
        "false\nBob,out@intercom.test,true,false,false\nCem,spam@intercom.test,false,true,false\n"
        "Di,dead@intercom.test,false,false,true\n",
        {
            "in@intercom.test": "subscribed",
            "out@intercom.test": "unsubscribed",
            "spam@intercom.test": "suppressed",
            "dead@intercom.test": "suppressed",
        },
    ),
    "Marketo": (
        "First Name,Email Address,Unsubscribed,Email Invalid,Marketing Suspended,Black Listed\n"
        "Ann,in@marketo.test,0,0,0,0\nBob,out@marketo.test,1,0,0,0\nCem,dead@marketo.test,0,1,0,0\n"
        "Di,rests@marketo.test,0,0,1,0\nEd,blocked@marketo.test,0,0,0,1\n",
        {
            "in@marketo.test": "subscribed",
            "out@marketo.test": "unsubscribed",
            "dead@marketo.test": "suppressed",
            "rests@marketo.test": "unsubscribed",
            "blocked@marketo.test": "suppressed",
        },
    ),
    "Keila": (
        "Email,First name,Last name,Data,Status,External ID\r\n"
        'in@keila.test,Ann,Lee,"{""city"":""Rome""}",active,\r\n'
        "out@keila.test,Bob,Ray,{},unsubscribed,\r\ndead@keila.test,Cem,Ray,{},unreachable,\r\n",
        {"in@keila.test": "subscribed", "out@keila.test": "unsubscribed", "dead@keila.test": "suppressed"},
    ),
    "Keila, a segment": (
        "Email,First name,Last name,Data,Status,External ID\r\n"
        "here@keila.test,Ann,Lee,,active,\r\ngone@keila.test,Cem,Ray,,unreachable,\r\n",
        {"here@keila.test": "subscribed", "gone@keila.test": "suppressed"},
    ),
    "Shopware": (
        "id;email;first_name;last_name;zip_code;city;status;confirmed_at\n"
        '01;in@shopware.test;Ann;Lee;10115;Berlin;optIn;"2024-02-29 13:05:07.000"\n'
        "02;direct@shopware.test;Di;Lee;;;direct;\n03;out@shopware.test;Bob;Ray;;;optOut;\n"
        "04;asked@shopware.test;Cem;Ray;;;notSet;\n",
        {
            "in@shopware.test": "subscribed",
            "direct@shopware.test": "subscribed",
            "out@shopware.test": "unsubscribed",
            "asked@shopware.test": "waiting",
        },
    ),
    "Cordial": (
        "channels.email.address,channels.email.subscribeStatus\nin@cordial.test,subscribed\n"
        "out@cordial.test,unsubscribed\nnever@cordial.test,none\n",
        {
            "in@cordial.test": "subscribed",
            "out@cordial.test": "unsubscribed",
            "never@cordial.test": "unsubscribed",
        },
    ),
    "Moodle": (
        "id,username,email,firstname,lastname,emailstop,city\n2,ann,in@moodle.test,Ann,Lee,0,Rome\n"
        "3,bob,out@moodle.test,Bob,Ray,1,\n",
        {"in@moodle.test": "subscribed", "out@moodle.test": "unsubscribed"},
    ),
    "Odoo, subscriptions": (
        "Contact,Email,Mailing List,Unsubscription Date\nAnn,in@subscription.test,News,\n"
        "Bob,out@subscription.test,News,2024-02-29 13:05:07\n",
        {"in@subscription.test": "subscribed", "out@subscription.test": "unsubscribed"},
    ),
    "PrestaShop": (
        "id;shop_name;gender;lastname;firstname;email;subscribed;subscribed_on\n"
        '1;Shop;Mrs;Lee;Ann;in@presta.test;1;"2024-02-29 13:05:07"\n2;Shop;Mr;Ray;Bob;out@presta.test;0;\n',
        {"in@presta.test": "subscribed", "out@presta.test": "unsubscribed"},
    ),
    "a table of one's own": (
        "Email;OPT-OUT\nin@own.test;no\nout@own.test; YES \nsince@own.test;29.02.2024\n".replace(";", ","),
        {"in@own.test": "subscribed", "out@own.test": "unsubscribed", "since@own.test": "unsubscribed"},
    ),
    "a table whose status is of another kind": (
        "Email,Status,State\nin@kind.test,gold,CA\nalso@kind.test,silver,NY\n",
        {"in@kind.test": "subscribed", "also@kind.test": "subscribed"},
    ),
}
