"""Electricity meters on an RS-485 line: DL/T 645-2007 and Modbus RTU.

master      one request at a time, and its answer among whatever comes back
dlt645      DL/T 645-2007 frames and numbers
modbus      Modbus RTU frames and register values
maps        which register or data identifier holds which quantity, as data, a module for each meter
questions   what a meter is asked, step by step: questions_dlt645 and questions_modbus
talk        bytes in and out of the line
reader      polls a meter and gives out what was read lately
readings    what was read, when, and whether it is believed
relay       switches the meter's relay on command
supply      whether the supply is as it should be
use         whether power is taken, with a session or without
session     the session that a ship is billed by: its states; events, its journal; believed, which
            reading counts
"""
