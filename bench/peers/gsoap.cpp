// The status call of the MagnetMail contract on gSOAP, with our own description: it answers from memory, with a thread
// for each connection. Arguments: port, file with the members of the answer, a line each: name, tab, value.
#include <csignal>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include "MagnetMail_USCOREx0020_USCOREWeb_USCOREx0020_USCOREServiceSoap.nsmap"
#include "soapMagnetMail_USCOREx0020_USCOREWeb_USCOREx0020_USCOREServiceSoapService.h"

typedef MagnetMail_USCOREx0020_USCOREWeb_USCOREx0020_USCOREServiceSoapService Service;

static std::map<std::string, std::string> given;

struct Polls : Service
{
    double *number(const char *name)
    {
        auto found = given.find(name);
        if (found == given.end())
            return nullptr;
        double *held = soap_new_double(soap);
        *held = std::stod(found->second);
        return held;
    }

    std::string *text(const char *name)
    {
        auto found = given.find(name);
        if (found == given.end())
            return nullptr;
        std::string *held = soap_new_std__string(soap);
        *held = found->second;
        return held;
    }

    time_t *moment(const char *name)
    {
        auto found = given.find(name);
        if (found == given.end())
            return nullptr;
        time_t *held = (time_t *)soap_malloc(soap, sizeof(time_t));
        soap_s2dateTime(soap, (found->second + "Z").c_str(), held);
        return held;
    }

    int getUploadJobStatus(_ns1__getUploadJobStatus *, _ns1__getUploadJobStatusResponse &answer) override
    {
        ns1__UploadListResult *result = soap_new_ns1__UploadListResult(soap);
        result->complete_USCOREdate = moment("complete_date");
        result->error = number("error");
        result->errorObj = soap_new_ns1__Error(soap);
        result->errorObj->errorCode = text("errorObj.errorCode");
        result->errorObj->errorDetails = text("errorObj.errorDetails");
        result->errorObj->errorMessage = text("errorObj.errorMessage");
        result->errorObj->errorNumber = number("errorObj.errorNumber");
        result->errorObj->errorType = text("errorObj.errorType");
        result->good_USCORErecords = number("good_records");
        result->group_USCOREcount = number("group_count");
        result->groupid = number("groupid");
        result->header = number("header");
        result->jobid = number("jobid");
        result->loginid = number("loginid");
        result->mm_USCOREfilename = text("mm_filename");
        result->msg = text("msg");
        result->new_USCOREadded = number("new_added");
        result->old_USCOREupdated = number("old_updated");
        result->replace_USCOREgroup = number("replace_group");
        result->status = number("status");
        result->total_USCORErecords = number("total_records");
        result->update_USCOREdups = number("update_dups");
        result->upload_USCOREdate = moment("upload_date");
        result->user_USCOREfilename = text("user_filename");
        result->user_USCOREid = text("user_id");
        answer.getUploadJobStatusResult = result;
        return SOAP_OK;
    }
};

int main(int, char **arguments)
{
    signal(SIGPIPE, SIG_IGN);
    std::ifstream file(arguments[2]);
    for (std::string line; std::getline(file, line);)
        given[line.substr(0, line.find('\t'))] = line.substr(line.find('\t') + 1);
    Polls master;
    soap_set_mode(master.soap, SOAP_IO_KEEPALIVE | SOAP_C_UTFSTRING);
    master.soap->max_keep_alive = 2147483647;
    master.soap->bind_flags = SO_REUSEADDR;
    if (!soap_valid_socket(master.bind("127.0.0.1", std::stoi(arguments[1]), 100)))
        return 1;
    for (;;)
    {
        SOAP_SOCKET accepted = master.accept();
        if (!soap_valid_socket(accepted))
            continue;
        Polls *one = new Polls;
        soap_done(one->soap);
        soap_copy_context(one->soap, master.soap);
        one->soap->socket = accepted;
        std::thread([one] {
            one->serve();
            one->destroy();
            delete one;
        }).detach();
    }
}
