"""Electricity meters on an RS-485 line: DL/T 645-2007 and Modbus RTU.

master      one request at a time, and its answer among whatever comes back
dlt645      DL/T 645-2007 frames and numbers
modbus      Modbus RTU frames and register values
maps        which register or data identifier holds which quantity, as data
questions   what a meter is asked, step by step
reader      polls a meter and gives out what was read lately
relay       switches the meter's relay on command
"""
