# The web services package of Tcl: tclws.tcl BASE magnetmail|listrak 1.1
package require WS::Client
package require base64

lassign $argv base contract version
fconfigure stdout -encoding utf-8
# Tcl reads a program in the system's encoding, so what is beyond ASCII is escaped.
set csv "Id,Mail\nZo\u00eb,zoe@walk.example\nAnn,ann@walk.example\nBob,bob@walk.example\nNobody,nobody\n"

# Return the name of a contract's client.
proc open_contract {path service} {
    global base
    ::WS::Client::GetAndParseWsdl "$base$path?WSDL"
    return $service
}

# Return the only member of an answer, or an empty text. The members of the header stand among the parameters.
proc call {operation arguments} {
    global service header
    return [lindex [::WS::Client::DoCall $service $operation [dict merge $header $arguments]] 1]
}

# Return the values of these members.
proc values {found args} {
    return [lmap name $args {dict get $found $name}]
}

# Print the text of the fault that a call meets.
proc print_refusal {operation arguments} {
    if {[catch {call $operation $arguments} fault]} {
        puts "refused $fault"
    }
}

if {$contract eq "magnetmail"} {
    set service [open_contract /mmapi.asmx MagnetMail_x0020_Web_x0020_Service]
    set header {}
    set session [call Authenticate {username demo password demo}]
    puts "logon [values $session authenticated user_id]"
    set header [dict create sessionId [dict get $session sessionId] user_id DEMO]
    set group [call addGroup [dict create user_id DEMO group_name "Gr\u00fc\u00dfe" categoryId 0]]
    puts "group [dict get $group error] [dict get $group msg]"
    set number [dict get $group id]
    set queued [call uploadListQueue [dict create user_id DEMO groupid $number csvData $csv replace_group false \
        update_dups true header_line true MM_1 Custom_Member_Id MM_2 Email]]
    set job [dict create user_id DEMO jobid [dict get $queued jobid]]
    set status {status 0}
    while {[dict get $status status] < 2} {
        after 50
        set status [call getUploadJobStatus $job]
    }
    puts "upload [values $status status total_records good_records new_added]"
    set found [call getGroupRecipients [dict create groupId $number pageNumber 1 pageCount 10]]
    set people [dict get $found recipients GroupRecipient]
    puts "members [lsort [lmap each $people {join [values $each EmailId CustomMemberId] =}]]"
    puts "unknown [dict get [call getUploadJobStatus {user_id DEMO jobid 987654}] error]"
    puts "wrong [dict get [call Authenticate {username demo password wrong}] authenticated]"
    set header {sessionId none user_id DEMO}
    print_refusal getUploadJobStatus {user_id DEMO jobid 1}
} else {
    set service [open_contract /v31/IntegrationService.asmx IntegrationService]
    set header {UserName demo Password demo}
    set switches {}
    foreach name {
        EnableRemovalLink EnableBrowserLink EnableDoubleOptin EnableListHygiene ShowEmailList
        ShowAdvancedPersonalization EnableRSS EnableGoogleAnalytics EnableInternationalization EnableDynamicContent
        EnableListRemoveHeader
    } {
        dict set switches $name false
    }
    set made [call CreateContactList [dict merge $switches [dict create ListName "K\u00fcche" BounceHandling 1 VmtaID 0 \
        BounceUnsubscribeCount 3]]]
    puts "list [dict get $made ListName]"
    set number [dict get $made ListID]
    set directives {
        ImportTypeEnum AddSubscribers ImportProfileTypeEnum Update FileName walk.csv HasColumnNames true
        FileDelimiter , TextQualifier \"
    }
    set mapping {AttributeID 0 FileColumn 1 IsEmailAddressColumn true}
    set process [call BulkLoadContacts [dict create ListID $number WSImportDirectives $directives \
        fileMappings [dict create WSFileMappings [list $mapping]] \
        ImportFileStream [::base64::encode -maxlen 0 [encoding convertto utf-8 $csv]]]]
    set status {Status {}}
    while {[dict get $status Status] ne "ProcessingCompleted"} {
        after 50
        set status [call GetProcessStatus [dict create ProcessID $process]]
    }
    puts "process [values $status ProcessName Status]"
    set found [call ReportSubscribedContacts [dict create ListID $number Page 1]]
    puts "members [lsort [lmap each [dict get $found WSContactSubscriptionInfo] {dict get $each EmailAddress}]]"
    set rows [dict get [call GetLegacyProcessStatus {ListID 1}] WSLegacyProcessStatus]
    puts "legacy [join [lmap each $rows {string cat [dict get $each ProcessType] : [join [values $each CurrentStep MaxStep] /]}]]"
    set unknown [call GetProcessStatus {ProcessID 987654}]
    puts "unknown [expr {$unknown eq {} ? {None} : $unknown}]"
    dict set header Password wrong
    print_refusal GetProcessStatus {ProcessID 1}
}
