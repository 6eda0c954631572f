"""Operations of the Listrak contract: requests and answers, one module for each theme, and the contract itself."""

# ruff: noqa: F403 - the package is the sum of its modules

from soapstone.listrak.operations.conductor import *
from soapstone.listrak.operations.contacts import *
from soapstone.listrak.operations.contract import *
from soapstone.listrak.operations.conversation_reports import *
from soapstone.listrak.operations.imports import *
from soapstone.listrak.operations.list_reports import *
from soapstone.listrak.operations.lists import *
from soapstone.listrak.operations.location_reports import *
from soapstone.listrak.operations.message_reports import *
from soapstone.listrak.operations.messages import *
from soapstone.listrak.operations.processes import *
from soapstone.listrak.operations.profiles import *
