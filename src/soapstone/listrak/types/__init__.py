"""Types of the Listrak contract, members in wire order and with wire names; one module for each theme."""

# ruff: noqa: F403 - the package is the sum of its modules

from soapstone.listrak.types.common import *
from soapstone.listrak.types.conductor import *
from soapstone.listrak.types.contacts import *
from soapstone.listrak.types.conversation_reports import *
from soapstone.listrak.types.imports import *
from soapstone.listrak.types.list_reports import *
from soapstone.listrak.types.lists import *
from soapstone.listrak.types.location_reports import *
from soapstone.listrak.types.message_reports import *
from soapstone.listrak.types.messages import *
from soapstone.listrak.types.processes import *
from soapstone.listrak.types.profiles import *
